import { randomUUID } from 'node:crypto';
import { headers as createHeaders } from '@nats-io/transport-node';
import { inferenceStream } from '#contracts/inference.js';
import { Logger } from '#runtime/logger.js';
import { Nats } from '#runtime/nats.js';
import { type TracedRequest } from './trace.js';

const tickMs = 50;
const maxPerMessage = 200;
const barWidth = 40;
/** NATS may be away for about this many seconds: an attempt ends after one. */
const attempts = 15;
const attemptTimeoutMs = 1_000;

/**
 * Publishes the trace as an internal service would: batches on JetStream, each under the producer's name and number, each awaited. Arrivals
 * keep their gaps, divided by `speed`; the models, at least one, take turns by line. Resolves to the timings published per model, once
 * JetStream has all of them; rejects when it does not take a batch within 15 s.
 */
export async function replay(
  nats_url: string,
  requests: TracedRequest[],
  model_ids: string[],
  speed: number,
  print: (line: string) => void,
): Promise<Map<string, number[]>> {
  const nats = await Nats.connect('demo', nats_url, Logger.create('demo', 'error'));
  const publish = publisher(nats);
  const published = new Map<string, number[]>(model_ids.map((id) => [id, []]));
  const progress = progressOf(requests.length, print);
  const began = Date.now();
  let next = 0;
  try {
    while (next < requests.length) {
      const due = (Date.now() - began) * speed;
      const occurred_at = new Date().toISOString();
      const events: object[] = [];
      for (; next < requests.length && requests[next]!.at_ms <= due && events.length < maxPerMessage; next++) {
        const { timing_ms, error } = requests[next]!;
        const model_id = model_ids[next % model_ids.length]!;
        published.get(model_id)?.push(timing_ms);
        events.push({ model_id, timing_ms, success: error === null, ...(error !== null && { error }), occurred_at });
      }
      if (events.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, tickMs));
        continue;
      }
      await publish(JSON.stringify({ events }));
      progress(next);
    }
  } finally {
    await nats.close();
  }
  return published;
}

/** A batch whose acknowledgement was lost goes again under the same number: it is counted once. */
function publisher(nats: Nats): (payload: string) => Promise<void> {
  const producer = randomUUID();
  let sequence = 0;
  return async (payload) => {
    const number = String(sequence++);
    const headers = createHeaders();
    headers.set(inferenceStream.producerHeader, producer);
    headers.set(inferenceStream.sequenceHeader, number);
    for (let attempt = 1; ; attempt++) {
      try {
        await nats.js.publish(inferenceStream.subject, payload, { headers, msgID: `${producer}:${number}`, timeout: attemptTimeoutMs });
        return;
      } catch (cause) {
        if (attempt === attempts) throw new Error('JetStream did not take a batch of inferences', { cause });
        // A refusal comes at once, unlike a time-out.
        await new Promise((resolve) => setTimeout(resolve, tickMs));
      }
    }
  };
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
