import { InferenceReporter } from '#client/inference-reporter.js';
import { type TracedRequest } from './trace.js';

const tickMs = 50;
const maxAtOnce = 200;
const barWidth = 40;
/** NATS may be away for as long as this. */
const reportWithinMs = 15_000;

/**
 * Reports the trace as an internal service would. Arrivals keep their gaps, divided by `speed`; the models, at least one, take turns by line.
 * Resolves to the timings reported per model, once JetStream has all of them; rejects when it does not take one within 15 s.
 */
export async function replay(
  nats_url: string,
  requests: TracedRequest[],
  model_ids: string[],
  speed: number,
  print: (line: string) => void,
): Promise<Map<string, number[]>> {
  const reporter = new InferenceReporter({ url: nats_url });
  const reported = new Map<string, number[]>(model_ids.map((id) => [id, []]));
  const progress = progressOf(requests.length, print);
  const began = Date.now();
  let next = 0;
  try {
    while (next < requests.length) {
      const due = (Date.now() - began) * speed;
      const batch: Promise<void>[] = [];
      for (; next < requests.length && requests[next]!.at_ms <= due && batch.length < maxAtOnce; next++) {
        const { timing_ms, error } = requests[next]!;
        const model_id = model_ids[next % model_ids.length]!;
        reported.get(model_id)?.push(timing_ms);
        batch.push(reporter.report({ model_id, timing_ms, success: error === null, ...(error !== null && { error }) }));
      }
      if (batch.length) await inTime(Promise.all(batch));
      else await new Promise((resolve) => setTimeout(resolve, tickMs));
      progress(next);
    }
  } finally {
    await reporter.close();
  }
  return reported;
}

async function inTime(reports: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('JetStream did not take a batch of inferences')), reportWithinMs);
  });
  await Promise.race([reports, late]).finally(() => clearTimeout(timer));
}

/** A bar on a terminal; elsewhere a line at every fifth. */
function progressOf(total: number, print: (line: string) => void): (done: number) => void {
  let shownFifths = 0;
  return (done) => {
    const share = done / total;
    if (process.stdout.isTTY) {
      const filled = Math.round(share * barWidth);
      process.stdout.write(`\r  [${'#'.repeat(filled)}${' '.repeat(barWidth - filled)}] ${done}/${total}${done === total ? '\n' : ''}`);
      return;
    }
    const fifths = Math.floor(share * 5);
    if (fifths > shownFifths) print(`  ${done} of ${total} requests replayed`);
    shownFifths = Math.max(shownFifths, fifths);
  };
}
