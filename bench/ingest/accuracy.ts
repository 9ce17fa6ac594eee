import { readFile } from 'node:fs/promises';
import { InferenceReporter } from '#client/inference-reporter.js';
import { type Metrics } from '#contracts/metrics.js';
import { parseTrace } from '#standalone/demo/trace.js';
import { boundRow, type Row } from './row.js';
import { type TestBed } from './test-bed.js';

const askedAtOnce = 32;
const eventsPerSecond = 100_000;
const traceModels = 3;
/** The tables of all are held against what was sent; so many are asked for over REST, those of the most events first. */
const mostModels = 1_000;
const mostAskedAtOnce = 500;

/** Answers of GET metrics against exact values: of all that was sent, the last of it to two replicas of which one is restarted; and of a real trace. */
export async function accuracy(bed: TestBed): Promise<Row[]> {
  const models = await bed.models(100);
  const publisher = await bed.publisher(models, { events: eventsPerSecond * bed.seconds, per_message: 200, pace: { in_flight: 64 } });
  await bed.suite.start('metrics');
  const restart = async (): Promise<void> => {
    await bed.suite.stop('metrics', 1);
    await bed.suite.start('metrics');
  };
  await Promise.all([publisher.run(), restart()]);
  await bed.check();
  const all = [...bed.sent.models.keys()].slice(0, mostModels);
  const worst = await worstError(bed, all);
  const events = all.reduce((sum, model_id) => sum + bed.sent.total(model_id), 0);

  const traced = await bed.ownModels('Traced', traceModels);
  const requests = await replayTrace(bed, traced);
  await bed.check();
  const worstTraced = await worstError(bed, traced);
  return [
    boundRow(
      `worst p50, p95 or p99 of ${all.length} models, ${(events / 1e6).toFixed(1)} M events; counts, sums and extremes exact`,
      worst,
      1,
    ),
    boundRow(`the same of the real trace, ${requests} requests over ${traceModels} models`, worstTraced, 1),
  ];
}

/** In percent, of the worst percentile. Throws where a count, a sum or an extreme is not exact. */
async function worstError(bed: TestBed, models: string[]): Promise<{ values: number[]; unit: string }> {
  let worst = 0;
  const rest = models.values();
  const look = async (): Promise<void> => {
    for (const model_id of rest) {
      const exact = bed.sent.exact(model_id);
      const answer = await bed.ask<Metrics>(`/registry/${model_id}/metrics`);
      const right =
        answer.model_id === model_id &&
        answer.total_inferences === exact.total &&
        answer.failed_inferences === exact.failed &&
        Math.abs(answer.average_timing_ms - exact.average_ms) < 1e-4 &&
        answer.min_timing_ms === exact.min_ms &&
        answer.max_timing_ms === exact.max_ms;
      if (!right) throw new Error(`GET metrics answers ${JSON.stringify(answer)}; exact is ${JSON.stringify(exact)}`);
      for (const name of ['p50', 'p95', 'p99'] as const) {
        const wanted = exact.percentiles[name];
        worst = Math.max(worst, Math.abs(answer.percentiles[name] - wanted) / wanted);
      }
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, look));
  return { values: [worst * 100], unit: '%' };
}

/** As `npm start -- --demo` does, but at once: the models take turns by line. Resolves to how many requests there are. */
async function replayTrace(bed: TestBed, models: string[]): Promise<number> {
  const requests = parseTrace(await readFile('examples/trace/azure-llm-inference-conv-2023.csv', 'utf8'));
  const reporter = new InferenceReporter({ url: bed.suite.nats_url });
  const reported: Promise<void>[] = [];
  for (const [index, { timing_ms, error }] of requests.entries()) {
    const event = { model_id: models[index % models.length]!, timing_ms, success: error === null, ...(error !== null && { error }) };
    bed.sent.add(event);
    reported.push(reporter.report(event));
    if (reported.length % mostAskedAtOnce === 0) await Promise.all(reported.splice(0));
  }
  await Promise.all(reported);
  await reporter.close();
  return requests.length;
}
