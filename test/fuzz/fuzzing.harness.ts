import { fc } from '#testing/property.js';
import { curlOf } from './curl.harness.js';
import { type FuzzSuite } from './fuzz-suite.harness.js';
import { dictionary } from './dictionary.harness.js';
import { type Flaw, Sequence } from './sequence.harness.js';
import { type Step, stepsOf } from './steps.harness.js';
import { Values } from './values.harness.js';

export interface Budget {
  /** Of a whole round, or with `path` of the one sequence that it names. */
  seed: number;
  requests: number;
  /** fast-check's way to one sequence of the seed. */
  path?: string;
  /** No sequence begins later, on the clock of Date.now. */
  until_ms?: number;
}

const sequencesInRound = 20;
const mostShrinks = 100;
const mostFindings = 12;
/** What a process may take: several times of what it takes when nothing is asked. */
const mostBytes = 700 * 1024 ** 2;

/** The same bug, as far as can be told: whatever the sequence was. */
const signatureOf = ({ check, exchange }: Flaw): string => `${check} ${exchange.operation.id} ${exchange.answer?.status}`;

class Found extends Error {
  constructor(readonly flaw: Flaw) {
    super(flaw.why);
  }
}

/** Sends sequences until the budget is used up; answers a text for each flaw that was found, with the smallest sequence that shows it. */
export async function fuzz(suite: FuzzSuite, { seed, requests, path, until_ms = Infinity }: Budget): Promise<string[]> {
  const values = new Values(suite.description, dictionary(suite.places));
  const step = fc.oneof(...suite.operations.map((operation) => stepsOf(operation, values)));
  const sequences = fc.array(step, { minLength: 1, maxLength: 16, size: 'max' });
  const known = new Set<string>();
  const findings: string[] = [];
  const already = suite.report.requests;
  for (let round = seed; findings.length < mostFindings; round++) {
    const found = await oneRound(suite, sequences, { seed: round, path, until_ms }, known);
    if (found) findings.push(found);
    for (const problem of await suite.unwell(mostBytes)) findings.push(`seed ${round}: ${problem}`);
    if (path !== undefined || suite.report.requests - already >= requests || Date.now() > until_ms) break;
  }
  return findings;
}

async function oneRound(
  suite: FuzzSuite,
  sequences: fc.Arbitrary<Step[]>,
  { seed, path, until_ms }: { seed: number; path?: string; until_ms: number },
  known: Set<string>,
): Promise<string | null> {
  let sought: string | undefined;
  let shrinks = 0;
  const property = fc.asyncProperty(sequences, async (steps) => {
    if (sought === undefined ? Date.now() > until_ms : ++shrinks > mostShrinks) return;
    const sequence = new Sequence(suite);
    const flaws = await sequence.run(steps);
    if (sought === undefined) for (const one of sequence.exchanges) suite.report.count(one);
    const flaw = flaws.find((one) => (sought === undefined ? !known.has(signatureOf(one)) : signatureOf(one) === sought));
    if (!flaw) return;
    sought = signatureOf(flaw);
    throw new Found(flaw);
  });
  const result = await fc.check(property, {
    seed,
    numRuns: path === undefined ? sequencesInRound : 1,
    ...(path !== undefined && { path, endOnFailure: true }),
  });
  if (!result.failed) return null;
  if (!(result.errorInstance instanceof Found)) throw result.errorInstance;
  known.add(sought!);
  return told(suite, result.errorInstance.flaw, seed, result.counterexamplePath ?? '');
}

function told(suite: FuzzSuite, { check, exchange, why, history }: Flaw, seed: number, path: string): string {
  const logs = suite.logsOf(exchange);
  return [
    `A request that ${check}: ${why}`,
    ...history.filter(({ operation }) => operation.method !== 'GET').map((one) => `  after ${curlOf(one)}`),
    `  ${curlOf(exchange)}`,
    ...(logs ? [`  logged: ${logs}`] : []),
    `  The same again: npm run test:fuzz -- --seed ${seed} --path ${path}`,
  ].join('\n');
}
