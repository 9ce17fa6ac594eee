import { Injectable } from '@nestjs/common';
import { NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';
import { AppError, errorFromBody, raise, serviceUnavailable } from '#contracts/errors.js';
import { type RequestContract, serviceOf } from '#contracts/request.js';
import { type Caller, callerHeaders } from './caller.js';
import { Nats } from './nats.js';
import { Telemetry } from './telemetry.js';
import { traceHeader } from './trace-context.js';
import { currentSpan, type Span } from './tracing.js';

/** More would only be asked in vain: a service that answers in time has far fewer in hand, and one that hangs must not be waited for by all. */
const maxWaiting = 256;

interface Reply<Out> {
  response?: Out;
  err?: unknown;
}

/**
 * The only way from one service to another. Speaks the wire format of Nest's NATS transport, over the process's one connection and one
 * reply subscription (Nest's own client subscribes anew for every request).
 */
@Injectable()
export class Bus {
  private nextId = 0;
  /** Requests without an answer yet, by service. */
  private readonly waiting = new Map<string, number>();

  constructor(
    private readonly nats: Nats,
    private readonly telemetry: Telemetry,
  ) {}

  /**
   * Asks the owning service, in the name of `caller`. Throws the AppError that it answered with, or SERVICE_UNAVAILABLE: at once when nobody
   * listens, NATS is away or 256 others wait for the same service, after `contract.timeout_ms` when the service hangs.
   */
  async ask<In extends object, Out extends object>(contract: RequestContract<In, Out>, input: In, caller: Caller): Promise<Out> {
    const began = performance.now();
    const span = currentSpan()?.child({ name: contract.subject, role: 'client', attributes: { 'rpc.system.name': 'nats' } });
    let code = 'OK';
    try {
      return await this.request(contract, input, caller, span);
    } catch (error) {
      code = error instanceof AppError ? error.code : 'INTERNAL_ERROR';
      throw error;
    } finally {
      this.telemetry.asked.observe((performance.now() - began) / 1000, contract.subject, code);
      span?.endAs(code);
    }
  }

  private async request<In extends object, Out extends object>(
    contract: RequestContract<In, Out>,
    input: In,
    caller: Caller,
    span?: Span,
  ): Promise<Out> {
    const { subject, timeout_ms } = contract;
    const service = serviceOf(contract);
    if (!this.nats.connected) throw serviceUnavailable(service);
    const payload = JSON.stringify({ pattern: subject, data: input, id: String(this.nextId++) });
    const limit = this.nats.connection.info?.max_payload ?? 0;
    if (limit && Buffer.byteLength(payload) > limit)
      throw new AppError('REQUEST_TOO_LARGE', 'The request is too large', { limit_bytes: limit });

    const headers = callerHeaders(caller);
    if (span) headers.set(traceHeader, span.traceparent);
    const before = this.waiting.get(service) ?? 0;
    if (before >= maxWaiting) throw serviceUnavailable(service);
    this.waiting.set(service, before + 1);
    const message = await this.nats.connection
      .request(subject, payload, { timeout: timeout_ms, headers })
      .catch((error: unknown) => {
        if (isUnavailable(error)) throw serviceUnavailable(service);
        throw error;
      })
      .finally(() => this.waiting.set(service, this.waiting.get(service)! - 1));
    const { response, err } = message.json<Reply<Out>>();
    if (err !== undefined && err !== null) throw errorFromBody(err) ?? new Error(`${subject} failed: ${JSON.stringify(err)}`);
    return response ?? raise(new Error(`${subject} answered nothing`));
  }
}

function isUnavailable(error: unknown): boolean {
  if (error instanceof TimeoutError || error instanceof NoRespondersError) return true;
  if (error instanceof RequestError) return error.cause instanceof NoRespondersError || error.cause instanceof TimeoutError;
  return error instanceof Error && ['ClosedConnectionError', 'DrainingConnectionError', 'ConnectionError'].includes(error.name);
}
