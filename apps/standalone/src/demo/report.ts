import { type ModelHealth } from '#contracts/metrics.js';
import { type RunResult } from '#contracts/validation.js';
import { nearestRank } from './trace.js';

/** One model that took part in a replay. */
export interface Replayed {
  /** Inferences that it had before. */
  before: number;
  /** The timings published to it, in milliseconds. */
  published: readonly number[];
  /** As it is served now. */
  after: ModelHealth;
}

const quantiles = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const;

/** Metrics by model. Beside a percentile stands its distance from the exact one, where the replay is all that the model has. */
export function metricsTable(replayed: readonly Replayed[]): string {
  const rows = replayed.map(({ before, published, after }) => [
    `${after.name} ${after.version}`,
    after.status,
    String(after.total_inferences),
    `${after.success_rate.toFixed(2)} %`,
    ...quantiles.map(([name, q]) => {
      const served = after.percentiles[name];
      return before === 0 && published.length ? `${served.toFixed(1)} (${distance(served, nearestRank(published, q))})` : served.toFixed(1);
    }),
    after.health_status,
  ]);
  return table(['model', 'status', 'inferences', 'success', 'p50 ms', 'p95 ms', 'p99 ms', 'health'], rows);
}

export interface Validated {
  model: { name: string; version: string };
  protocol: string;
  run: RunResult;
}

export function validationTable(validated: readonly Validated[]): string {
  const rows = validated.map(({ model, protocol, run }) => [
    `${model.name} ${model.version}`,
    protocol,
    run.status,
    `${run.passed_tests} of ${run.total_tests} passed`,
    run.regression_detected ? run.regression_severity : 'none',
  ]);
  return table(['validation of', 'by', 'result', 'cases', 'regression'], rows);
}

/** `counts: exact`, or each model that has grown by another number than was published to it. */
export function countsLine(replayed: readonly Replayed[]): string {
  const wrong = replayed
    .map(({ before, published, after }) => ({ after, grown: after.total_inferences - before, wanted: published.length }))
    .filter(({ grown, wanted }) => grown !== wanted);
  if (wrong.length) {
    return `counts: ${wrong.map(({ after, grown, wanted }) => `${after.name} ${after.version} grew by ${grown}, published were ${wanted}`).join('; ')}`;
  }
  const all = replayed.reduce((sum, { published }) => sum + published.length, 0);
  return `counts: exact (${all} published, each counted once)`;
}

/** What the distances of `metricsTable` mean, or why there are none. */
export const percentilesLine = (replayed: readonly Replayed[]): string =>
  replayed.some(({ before }) => before === 0)
    ? 'percentiles: in brackets how far from the exact nearest-rank value of the published timings'
    : 'percentiles: of all replays so far, so not held against the exact ones of this replay';

const distance = (served: number, exact: number): string => {
  const percent = ((served - exact) / exact) * 100;
  return `${percent < 0 ? '' : '+'}${percent.toFixed(2)} %`;
};

function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()).join('\n');
}
