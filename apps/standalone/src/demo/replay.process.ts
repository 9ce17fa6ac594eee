import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect, headers as createHeaders } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { type TracedRequest } from './trace.js';

const tickMs = 50;
const maxPerMessage = 200;
const barWidth = 40;

/**
 * Publishes the trace as an internal service would: batches on JetStream, each under the producer's name and number, each awaited. Arrivals
 * keep their gaps, divided by `speed`. Resolves to the timings published per model, once JetStream has all of them.
 */
export async function replay(
  nats_url: string,
  requests: TracedRequest[],
  model_ids: string[],
  speed: number,
  print: (line: string) => void,
): Promise<Map<string, number[]>> {
  const { host, username, password } = new URL(nats_url);
  const connection = await connect({ servers: host, ...(username && { user: username, pass: password }), maxReconnectAttempts: -1 });
  const js = jetstream(connection);
  const producer = randomUUID();
  const published = new Map<string, number[]>(model_ids.map((id) => [id, []]));
  const progress = progressOf(requests.length, print);
  const began = Date.now();
  let sequence = 0;
  let next = 0;
  try {
    while (next < requests.length) {
      const due = (Date.now() - began) * speed;
      const events: object[] = [];
      for (; next < requests.length && requests[next]!.at_ms <= due && events.length < maxPerMessage; next++) {
        const { timing_ms, error } = requests[next]!;
        const model_id = model_ids[next % model_ids.length]!;
        published.get(model_id)?.push(timing_ms);
        events.push({
          model_id,
          timing_ms,
          success: error === null,
          ...(error !== null && { error }),
          occurred_at: new Date().toISOString(),
        });
      }
      if (events.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, tickMs));
        continue;
      }
      const headers = createHeaders();
      headers.set(inferenceStream.producerHeader, producer);
      headers.set(inferenceStream.sequenceHeader, String(sequence));
      await js.publish(inferenceStream.subject, JSON.stringify({ events }), { headers, msgID: `${producer}:${sequence}` });
      sequence += 1;
      progress(next);
    }
  } finally {
    await connection.close();
  }
  return published;
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
