import { type EgressErrorCode } from '#runtime/egress.js';

export type InvokeErrorCode = EgressErrorCode | 'INVALID_INPUT' | 'UNKNOWN_SECRET' | 'MODEL_ERROR' | 'INVALID_ANSWER';

/**
 * Why a model gave no answer that can be judged. INVALID_INPUT: the input does not fit protocol or signature, nothing was sent.
 * UNKNOWN_SECRET: the operator has no such secret for this host, nothing was sent. MODEL_ERROR: the server answered with an error.
 * INVALID_ANSWER: it answered with something else than the protocol's JSON. The other codes are the egress client's, over NATS in the same
 * sense. The message is fit to show.
 */
export class InvokeError extends Error {
  constructor(
    readonly code: InvokeErrorCode,
    message: string,
    /** The HTTP status when the server answered. */
    readonly status: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'InvokeError';
  }
}
