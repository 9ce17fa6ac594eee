import { parseArgs } from 'node:util';
import { type Evaluator, evaluators, type User } from './flags/evaluators.js';
import { machineLine, median, spread, writeSection } from './measurement.js';

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const roundMs = Number(values.seconds) * 1_000;

// A tenth is from Canada, and a tenth has a key that is not ASCII.
const users: User[] = Array.from({ length: 20_000 }, (_, at) => ({
  key: at % 10 === 3 ? `naïve-ü-木-${at}` : `user-${at}`,
  country: at % 10 === 7 ? 'CA' : 'US',
}));

/** Ends the run unless Canada is in, and of the others 30 % within five standard deviations. */
function check({ name, isOn }: Evaluator, contexts: never[]): void {
  const canada = users.flatMap(({ country }, at) => (country === 'CA' ? [isOn(contexts[at]!)] : []));
  const others = users.flatMap(({ country }, at) => (country === 'CA' ? [] : [isOn(contexts[at]!)]));
  const share = others.filter(Boolean).length / others.length;
  if (!canada.every(Boolean)) throw new Error(`${name} leaves Canada out`);
  if (Math.abs(share - 0.3) > 5 * Math.sqrt((0.3 * 0.7) / others.length)) throw new Error(`${name} takes ${share} instead of 0.3`);
}

/** Evaluations per second. */
function speed({ isOn }: Evaluator, contexts: never[]): number {
  const start = performance.now();
  let evaluated = 0;
  let elapsed = 0;
  do {
    for (const context of contexts) isOn(context);
    evaluated += contexts.length;
    elapsed = performance.now() - start;
  } while (elapsed < roundMs);
  return (evaluated / elapsed) * 1_000;
}

const measured = (await evaluators()).map((evaluator) => ({
  evaluator,
  contexts: evaluator.contexts(users) as never[],
  speeds: [] as number[],
}));
for (const { evaluator, contexts } of measured) check(evaluator, contexts);
const [first, , third] = measured;
const differs = users.filter(
  ({ key }, at) => !/[^ -~]/.test(key) && first!.evaluator.isOn(first!.contexts[at]!) !== third!.evaluator.isOn(third!.contexts[at]!),
);
if (differs.length) throw new Error(`Ours and flagd-core differ in ${differs.length} ASCII keys`);

for (let round = 0; round < rounds; round++)
  for (const { evaluator, contexts, speeds } of measured) speeds.push(speed(evaluator, contexts));

const own = first!.speeds;
const text = [
  await machineLine(),
  `One process, ${rounds} rounds of ${values.seconds} s each, in turn, ${users.length} contexts made beforehand. Median (min–max); a ratio is of one round.`,
  '',
  '| evaluator | M evaluations/s | ours is faster by |',
  '| --- | --- | --- |',
  ...measured.map(({ evaluator, speeds }) => {
    const ratios = speeds.map((other, round) => own[round]! / other);
    return `| ${evaluator.name} | ${spread(
      speeds.map((one) => one / 1e6),
      3,
    )} | ${median(ratios).toFixed(2)} × |`;
  }),
].join('\n');
console.log(`\n${text}`);
if (values.write) writeSection('flags', text);
