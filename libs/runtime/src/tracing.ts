import { AsyncLocalStorage } from 'node:async_hooks';
import { type Attributes, type Span as OtelSpan, type SpanKind, type Tracer } from '@opentelemetry/api';
import { type SpanExporter, type TracerProvider, type TracerProviderOptions } from '@opentelemetry/sdk-trace';
import { type ProcessConfig } from './config.js';
import { type Logger } from './logger.js';
import { placeOf, type SpanPlace, traceparentOf } from './trace-context.js';

/** Who the other side is: whom was asked, who asks, to whom a message goes, from whom it comes, nobody. */
export type Role = 'client' | 'server' | 'producer' | 'consumer' | 'internal';

export interface SpanStart {
  name: string;
  role: Role;
  attributes?: Attributes;
  /** What it comes about by, where that waits for its end; a `traceparent`. */
  parent?: string;
  /** What it comes about by, where that does not wait. */
  links?: SpanPlace[];
}

const failures = new Set(['INTERNAL_ERROR', 'SERVICE_UNAVAILABLE']);

const spans = new AsyncLocalStorage<Span>();

/** In the course of what the present code runs; undefined where nothing is traced, which then costs nothing. */
export const currentSpan = (): Span | undefined => spans.getStore();

/** A trace that goes on here, and of which nothing is recorded here. */
const traces = new AsyncLocalStorage<string>();

/** The `traceparent` for whatever leaves this process in the course of what the present code runs; null where nothing is traced. */
export const currentTrace = (): string | null => traces.getStore() ?? currentSpan()?.traceparent ?? null;

/** Runs `work`, which was stored with the `traceparent` of what brought it about. */
export const asPartOf = <T>(traceparent: string | null, work: () => T): T => (traceparent ? traces.run(traceparent, work) : work());

/** Something that takes time, and of which a trace may be a part. */
export class Span {
  constructor(
    private readonly tracing: Tracing,
    private readonly span: OtelSpan,
  ) {}

  get place(): SpanPlace {
    const { traceId, spanId, traceFlags } = this.span.spanContext();
    return { trace_id: traceId, span_id: spanId, sampled: (traceFlags & 1) === 1 };
  }

  get traceparent(): string {
    return traceparentOf(this.place);
  }

  child(start: Omit<SpanStart, 'parent'>): Span {
    return this.tracing.begin({ ...start, parent: this.traceparent });
  }

  /** Runs `work`, and whatever it leads to, as a part of this. */
  run<T>(work: () => T): T {
    return spans.run(this, work);
  }

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  /** `failure`: why it failed, in words that may be told. Status 2 is the error of OpenTelemetry. */
  end(failure?: string): void {
    if (failure !== undefined) this.span.setStatus({ code: 2, message: failure });
    this.span.end();
  }

  /** Of a request that was answered with this code: a refusal is no failure. */
  endAs(code: string): void {
    if (code !== 'OK') this.set({ 'error.type': code });
    this.end(failures.has(code) ? code : undefined);
  }
}

/** Of what may be exported at shutdown this long is waited for. */
const flushMs = 2_000;
const sendEveryMs = 1_000;

/**
 * Traces of one process, sent to an OpenTelemetry collector. The libraries for it are loaded only where one is configured. What cannot be sent is
 * dropped, and so is what does not fit into the queue of 2,048 spans: a collector that is away holds nothing up. A process that is killed loses
 * the spans of its last second.
 */
export class Tracing {
  private constructor(
    private readonly provider: TracerProvider,
    private readonly tracer: Tracer,
    private readonly otel: typeof import('./opentelemetry.js'),
  ) {}

  /** Null where no collector is configured. */
  static async start(service: string, config: ProcessConfig, logger: Logger): Promise<Tracing | null> {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: share } = config;
    if (!endpoint) return null;
    const otel = await import('./opentelemetry.js');
    const exporter = new otel.OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
    const provider = new otel.TracerProvider({
      resource: resourceOf({ 'service.name': `emr-${service}`, 'service.namespace': 'emr', 'process.pid': process.pid }),
      // Whoever asks decides whether a trace is recorded, and this share of those that begin here.
      sampler: new otel.ParentBasedSampler({ root: new otel.TraceIdRatioBasedSampler(share) }),
      spanProcessors: [new otel.BatchSpanProcessor({ exporter: telling(exporter, logger), scheduledDelayMillis: sendEveryMs })],
    });
    return new Tracing(provider, provider.getTracer('enterprise-model-registry'), otel);
  }

  begin({ name, role, attributes, parent, links = [] }: SpanStart): Span {
    const { ROOT_CONTEXT, SpanKind, trace } = this.otel;
    const kinds: Record<Role, SpanKind> = {
      client: SpanKind.CLIENT,
      server: SpanKind.SERVER,
      producer: SpanKind.PRODUCER,
      consumer: SpanKind.CONSUMER,
      internal: SpanKind.INTERNAL,
    };
    const from = placeOf(parent);
    const context = from ? trace.setSpanContext(ROOT_CONTEXT, contextOf(from)) : ROOT_CONTEXT;
    const options = { kind: kinds[role], attributes, links: links.map((place) => ({ context: contextOf(place) })) };
    return new Span(this, this.tracer.startSpan(name, options, context));
  }

  /** The same as part of the trace that a message names; undefined where it names none: what nobody traces is not traced. */
  continued(parent: string | undefined, start: Omit<SpanStart, 'parent'>): Span | undefined {
    return placeOf(parent) ? this.begin({ ...start, parent }) : undefined;
  }

  /** Sends what is left, if the collector takes it in time. */
  async close(): Promise<void> {
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, flushMs).unref());
    await Promise.race([this.provider.shutdown().catch(() => undefined), deadline]);
  }
}

const contextOf = ({ trace_id, span_id, sampled }: SpanPlace) => ({
  traceId: trace_id,
  spanId: span_id,
  traceFlags: sampled ? 1 : 0,
  isRemote: true,
});

type Resource = NonNullable<TracerProviderOptions['resource']>;

/** The library's own would be another dependency, for these three lines. */
function resourceOf(attributes: Attributes): Resource {
  const resource: Resource = { attributes, merge: () => resource, getRawAttributes: () => Object.entries(attributes) };
  return resource;
}

/** An exporter that says when it begins to fail, and when it works again. */
function telling(exporter: SpanExporter, logger: Logger): SpanExporter {
  let failing = false;
  return {
    export: (batch, done) =>
      exporter.export(batch, (result) => {
        const failed = result.error !== undefined;
        if (result.error && !failing) logger.warn(`Traces cannot be sent: ${result.error.message}`, 'tracing');
        if (!failed && failing) logger.info('Traces are sent again');
        failing = failed;
        done(result);
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
