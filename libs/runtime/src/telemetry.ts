import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A process's own measurements, for Prometheus. Labels are routes, subjects and codes: never a model, a key or anything a client chose. */
export class Telemetry {
  readonly registry = new Registry();
  readonly httpRequests: Histogram<'method' | 'route' | 'status'>;
  readonly asked: Histogram<'subject' | 'code'>;
  readonly answered: Histogram<'subject'>;
  readonly events: Counter<'outcome'>;

  constructor(service: string) {
    this.registry.setDefaultLabels({ service });
    collectDefaultMetrics({ register: this.registry, prefix: 'emr_' });
    const registers = [this.registry];
    this.httpRequests = new Histogram({
      name: 'emr_http_request_duration_seconds',
      help: 'REST requests by route.',
      labelNames: ['method', 'route', 'status'],
      buckets,
      registers,
    });
    this.asked = new Histogram({
      name: 'emr_rpc_asked_duration_seconds',
      help: 'Requests to other services over NATS, as the asker saw them.',
      labelNames: ['subject', 'code'],
      buckets,
      registers,
    });
    this.answered = new Histogram({
      name: 'emr_rpc_answered_duration_seconds',
      help: 'Requests answered over NATS.',
      labelNames: ['subject'],
      buckets,
      registers,
    });
    this.events = new Counter({
      name: 'emr_inference_events_total',
      help: 'Inference events by what became of them.',
      labelNames: ['outcome'],
      registers,
    });
  }
}
