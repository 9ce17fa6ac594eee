/** What is loaded where traces are wanted, and only there. A file of its own: a bundle that loads a package late loses the names of an older format. */
export { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
export { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
export { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
