import { inferenceStream } from '#contracts/inference.js';
import { type Metrics } from '#contracts/metrics.js';
import { median } from '../measurement.js';
import { type Row } from './row.js';
import { type TestBed } from './test-bed.js';

const modelCount = 100;
const perBatch = 200;
const inFlight = 256;
/** As many as one process encodes at a time, and far below what the stream holds. */
const eventsAtOnce = 1_000_000;
/** The events of all runs occur in the same few minutes: what is kept depends on models and windows, which stay. */
const minutes = 5;
const reads = 2_000;

interface Size {
  events: number;
  p50: number;
  windows: number;
  windowBytes: number;
  ledgerBytes: number;
}

/** What GET metrics takes and what the tables hold, at 1 M events and every tenfold of it up to `most`. */
export async function growth(bed: TestBed, most: number): Promise<Row[]> {
  const models = await bed.models(modelCount);
  const began = Date.now();
  const sizes: Size[] = [];
  let published = 0;
  for (let goal = eventsAtOnce; goal <= most; goal *= 10) {
    while (published < goal) {
      const occurred_at = new Date(began - ((published / eventsAtOnce) % minutes) * 60_000).toISOString();
      const pace = { in_flight: inFlight };
      const publisher = await bed.publisher(models, { events: eventsAtOnce, per_message: perBatch, pace, occurred_at });
      await publisher.run();
      await bed.settled();
      await bed.manager.streams.purge(inferenceStream.name);
      published += eventsAtOnce;
      bed.sent.models.clear();
    }
    sizes.push(await sizeAt(bed, models, published));
    console.log(JSON.stringify(sizes.at(-1)));
  }
  return sizes.map((size, index) => rowOf(size, sizes[0]!, sizes[index - 1]));
}

async function sizeAt(bed: TestBed, models: string[], published: number): Promise<Size> {
  const durations: number[] = [];
  let total = 0;
  for (let read = 0; read < reads; read++) {
    const began = performance.now();
    const { total_inferences } = await bed.ask<Metrics>(`/registry/${models[read % models.length]}/metrics`);
    durations.push(performance.now() - began);
    if (read < models.length) total += total_inferences;
  }
  if (total !== published) throw new Error(`${published} events were published, ${total} are counted`);
  const { rows } = await bed.database.query<{ windows: string; window_bytes: string; ledger_bytes: string }>(
    `SELECT (SELECT count(*) FROM metrics.model_window) AS windows, pg_total_relation_size('metrics.model_window') AS window_bytes,
       pg_total_relation_size('metrics.ingest_ledger') AS ledger_bytes`,
  );
  const { windows, window_bytes, ledger_bytes } = rows[0]!;
  const bytes = { windows: Number(windows), windowBytes: Number(window_bytes), ledgerBytes: Number(ledger_bytes) };
  return { events: published, p50: median(durations), ...bytes };
}

/** What is kept has all its windows from 10 M events on. */
const filledAt = 10_000_000;

function rowOf(size: Size, first: Size, before: Size | undefined): Row {
  const path = `${size.events / 1e6} M events, ${modelCount} models`;
  const ours = `\`GET …/metrics\` p50 ${size.p50.toFixed(2)} ms; ${size.windows} windows, ${size.windowBytes} bytes; ledger ${size.ledgerBytes} bytes`;
  if (!before) return { path, ours, limit: '–', ratio: '–', goal: '–', met: null };
  const time = size.p50 / first.p50;
  const bytes = before.events >= filledAt ? size.windowBytes / before.windowBytes : null;
  return {
    path,
    ours,
    limit: `p50 at ${first.events / 1e6} M${bytes === null ? '' : `, bytes at ${before.events / 1e6} M`}`,
    ratio: `p50 ${time.toFixed(2)}${bytes === null ? '' : `, bytes ${bytes.toFixed(3)}`}`,
    goal: `p50 ≤ 1.1 ×${bytes === null ? '' : ', bytes ≤ 1.05 ×'}`,
    met: time <= 1.1 && (bytes ?? 1) <= 1.05,
  };
}
