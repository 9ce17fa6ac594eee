import { type Egress } from '#runtime/egress.js';

interface NatsReply {
  body: Buffer;
  /** From the request to its reply. */
  duration_ms: number;
}

/** How this process reaches model servers: the three things that a call needs of the outside. */
export interface Ways {
  http: Egress;
  /** One request over NATS and its reply. Throws InvokeError. */
  nats(subject: string, payload: string, limits: { timeout_ms: number; signal?: AbortSignal }): Promise<NatsReply>;
  /** The value of a secret that may be sent to this host (normalised). Throws InvokeError UNKNOWN_SECRET. */
  secret(host: string, name: string): Promise<string>;
}

/** The only ways out of this service. */
export const WAYS = Symbol('WAYS');
