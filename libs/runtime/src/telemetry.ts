import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Counter, type Metric, Registry } from 'prom-client';
import { DurationHistogram, durationBuckets, type HistogramReading, histogramValues } from './duration-histogram.js';
import { type Tracing } from './tracing.js';

/** A value of a gauge, by labels. */
export interface Reading {
  labels: Record<string, string>;
  value: number;
}

type Look = () => Reading[] | Promise<Reading[]>;

const lookDeadlineMs = 1_000;

/** Gauges of prom-client's that are named like counters, each beside another that says the same by type. */
const misnamed = ['emr_nodejs_active_handles_total', 'emr_nodejs_active_requests_total', 'emr_nodejs_active_resources_total'];

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };

/**
 * A process's own measurements, for Prometheus. Labels are routes, subjects, codes and states: never a key or anything a client chose; of models
 * only the most used. See docs/telemetry.md.
 */
export class Telemetry {
  readonly registry = new Registry();
  /** Null: nothing is traced. Set before anything is served. */
  tracing: Tracing | null = null;
  /** By method, route and status. */
  readonly httpRequests: DurationHistogram;
  /** By subject and code. */
  readonly asked: DurationHistogram;
  /** By subject and code. */
  readonly answered: DurationHistogram;
  readonly events: Counter<'outcome'>;
  private readonly failures: Counter<'metric'>;
  private readonly looks = new Map<string, Look[]>();

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.registry, prefix: 'emr_' });
    for (const name of misnamed) this.registry.removeSingleMetric(name);
    this.httpRequests = this.durations('emr_http_request_duration_seconds', 'REST requests by route.', ['method', 'route', 'status']);
    this.asked = this.durations('emr_rpc_asked_duration_seconds', 'Requests to other services over NATS, as the asker saw them.', [
      'subject',
      'code',
    ]);
    this.answered = this.durations('emr_rpc_answered_duration_seconds', 'Requests answered over NATS.', ['subject', 'code']);
    this.events = this.counter('emr_inference_events_total', 'Inference events by what became of them.', ['outcome']);
    this.failures = this.counter('emr_measurement_failures_total', 'Readings that could not be taken and were left out of a scrape.', [
      'metric',
    ]);
    this.gauge('emr_build_info', 'Always 1; what is running.', () => [{ labels: { version, node: process.versions.node }, value: 1 }]);
  }

  counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /**
   * A gauge that is read whenever Prometheus asks; told again under the same name, its readings are added to those before. A look that fails or
   * takes longer than a second is left out: an old value would pass for a new one.
   */
  gauge(name: string, help: string, look: Look): void {
    const before = this.looks.get(name);
    if (before) {
      before.push(look);
      return;
    }
    const looks = [look];
    this.looks.set(name, looks);
    const values = async (): Promise<Reading[]> => (await Promise.all(looks.map((one) => this.read(name, one)))).flat();
    this.add({ name, help, type: 'gauge', values });
  }

  /** A counter of what is counted elsewhere; no value may ever go back. */
  counted(name: string, help: string, read: () => Reading[]): void {
    this.add({ name, help, type: 'counter', values: async () => read() });
  }

  /** A histogram of what is counted elsewhere. `bounds` in the metric's unit, ascending. */
  histogram(name: string, help: string, bounds: readonly number[], read: () => HistogramReading[]): void {
    this.add({ name, help, type: 'histogram', values: async () => histogramValues(name, bounds, read()) });
  }

  private durations(name: string, help: string, labelNames: string[]): DurationHistogram {
    const histogram = new DurationHistogram(name, help, labelNames);
    this.histogram(name, help, durationBuckets, () => histogram.read());
    return histogram;
  }

  private async read(metric: string, look: Look): Promise<Reading[]> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer within 1 s')), lookDeadlineMs);
    });
    try {
      return await Promise.race([Promise.resolve().then(look), deadline]);
    } catch {
      this.failures.inc({ metric });
      return [];
    } finally {
      clearTimeout(timer);
    }
  }

  /** The registry prints whatever can tell its values. */
  private add({ name, help, type, values }: Told): void {
    const get = async (): Promise<object> => ({ name, help, type, values: await values(), aggregator: 'sum' });
    this.registry.registerMetric({ name, help, type, get } as unknown as Metric);
  }
}

interface Told {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  values: () => Promise<object[]>;
}
