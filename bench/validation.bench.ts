import { parseArgs } from 'node:util';
import { machineLine, writeSection } from './measurement.js';
import { startProcesses } from './suite.processes.js';
import { validationBed } from './validation/bed.js';
import { historyHead, historyOfRuns } from './validation/history.js';
import { runsHead, runsOfCases } from './validation/runs.js';

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '3' },
    most: { type: 'string', default: '100000' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

const suite = await startProcesses();
let runs: string[];
let history: string[];
try {
  const bed = await validationBed(suite, rounds, Number(values.most));
  runs = await runsOfCases(bed);
  history = await historyOfRuns(bed);
} finally {
  await suite.close();
}

const text = [
  await machineLine(),
  `${rounds} rounds, bare and ours in turn. Median (min–max) over the rounds; a ratio is of one round, then the median.`,
  '',
  ...runsHead,
  ...runs,
  '',
  ...historyHead,
  ...history,
].join('\n');
console.log(`\n${text}`);
if (values.write) writeSection('validation', text);
