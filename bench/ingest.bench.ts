import { parseArgs } from 'node:util';
import { accuracy } from './ingest/accuracy.js';
import { batches, manyModels, singles } from './ingest/consuming.js';
import { growth } from './ingest/growth.js';
import { postInference, reads } from './ingest/http.js';
import { publishing } from './ingest/publishing.js';
import { lineOf, type Row, tableOf } from './ingest/row.js';
import { TestBed } from './ingest/test-bed.js';
import { visibility } from './ingest/visibility.js';
import { machineLine, writeSection } from './measurement.js';
import { startProcesses } from './suite.processes.js';

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    events: { type: 'string', default: '100000000' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

/** In the order in which they run: the registry grows with `models`, and `accuracy` looks at all that came before. */
const measurements: Record<string, (bed: TestBed) => Promise<Row[]>> = {
  post: postInference,
  publish: publishing,
  singles,
  batches,
  visible: visibility,
  reads,
  models: manyModels,
  accuracy,
};
const long: typeof measurements = { growth: (bed) => growth(bed, Number(values.events)) };

const names = values.only?.split(',') ?? Object.keys(measurements);
const chosen = names.map((name) => {
  const measurement = measurements[name] ?? long[name];
  if (!measurement) throw new Error(`--only knows ${Object.keys({ ...measurements, ...long }).join(', ')}; not ${name}`);
  return [name, measurement] as const;
});

const began = performance.now();
const suite = await startProcesses();
const rows: Row[] = [];
try {
  const bed = await TestBed.of(suite, rounds, seconds);
  try {
    for (const [name, measurement] of chosen) {
      const measured = await measurement(bed);
      rows.push(...measured);
      console.log(`${name}, ${((performance.now() - began) / 1_000).toFixed(0)} s\n${measured.map(lineOf).join('\n')}`);
    }
  } finally {
    await bed.close();
  }
} finally {
  await suite.close();
}

const text = [
  await machineLine(),
  `${rounds} rounds of about ${seconds} s each, limit and product in turn. Median (min–max) over the rounds; a ratio is of one round, then the median.`,
  '',
  tableOf(rows),
].join('\n');
console.log(`\n${text}`);
if (values.write) writeSection(chosen.some(([name]) => name === 'growth') ? 'growth' : 'ingest', text);
