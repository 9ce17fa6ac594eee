export {
  AckWindow,
  type AckWindowOptions,
  type AckWindowStats,
  type MessageIdentity,
  NotStoredError,
  type NotStoredReason,
} from './ack-window.js';
export { type InferenceEvent, InvalidEventError } from './inference-event.js';
export { type InferenceContext, InferenceReporter, type InferenceReporterOptions, type ReporterStats } from './inference-reporter.js';
export { RestClient, type RestClientOptions, RestError } from './rest-client.js';
export { type components, type operations, type paths } from './rest.schema.js';
