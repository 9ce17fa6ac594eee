import { type FactoryProvider } from '@nestjs/common';
import { NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';
import { createEgress } from '#runtime/egress.js';
import { Nats, traced } from '#runtime/nats.js';
import { ValidationConfig } from '../validation.config.js';
import { shownLine } from './exchange.js';
import { InvokeError } from './invoke-error.js';
import { SecretsStore } from './secrets.store.js';
import { type Ways, WAYS } from './ways.js';

const maxResponseBytes = 1_000_000;

export const waysProvider: FactoryProvider<Ways> = {
  provide: WAYS,
  inject: [ValidationConfig, Nats],
  useFactory: (config: ValidationConfig, nats: Nats): Ways => {
    const secrets = new SecretsStore(config.VALIDATION_SECRETS_DIR || null);
    return {
      http: createEgress({ allowed_networks: config.allowedNetworks, max_response_bytes: maxResponseBytes }),
      nats: natsWay(nats, config.VALIDATION_NATS_PREFIX),
      secret: (host, name) => secrets.read(host, name),
    };
  },
};

/** Requests on subjects below `prefix` alone: the connection is the suite's own and may publish on all of its subjects. */
export function natsWay(nats: Pick<Nats, 'connection' | 'connected'>, prefix: string): Ways['nats'] {
  return async (subject, payload, { timeout_ms, signal }) => {
    if (!subject.startsWith(`${prefix}.`)) {
      throw new InvokeError('ADDRESS_NOT_ALLOWED', `Not allowed: the subject ${subject} is not below ${prefix}`);
    }
    const limit = nats.connection.info?.max_payload ?? 0;
    if (limit && Buffer.byteLength(payload) > limit) throw new InvokeError('INVALID_INPUT', `The request is larger than ${limit} bytes`);
    if (!nats.connected) throw new InvokeError('UNREACHABLE', 'NATS is not reachable');
    const started = performance.now();
    const reply = await unlessCancelled(nats.connection.request(subject, payload, { timeout: timeout_ms, ...traced() }), signal).catch(
      (error: unknown) => {
        throw asInvokeError(error, subject, timeout_ms);
      },
    );
    const duration_ms = performance.now() - started;
    // The convention of NATS services: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-32.md
    const failure = reply.headers?.get('Nats-Service-Error-Code');
    if (failure) {
      const said = reply.headers?.get('Nats-Service-Error') ?? '';
      throw new InvokeError('MODEL_ERROR', `The model answered with the error ${shownLine(failure)}${said && `: ${shownLine(said)}`}`);
    }
    return { body: Buffer.from(reply.data), duration_ms };
  };
}

/** A request over NATS cannot be called off; its reply is no longer waited for. */
function unlessCancelled<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(new InvokeError('CANCELLED', 'The call was cancelled'));
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancel));
  });
}

function asInvokeError(error: unknown, subject: string, timeout_ms: number): InvokeError {
  if (error instanceof InvokeError) return error;
  const cause = error instanceof RequestError ? (error.cause ?? error) : error;
  if (cause instanceof NoRespondersError) return new InvokeError('UNREACHABLE', `Nobody listens on ${subject}`, null, { cause: error });
  if (cause instanceof TimeoutError) return new InvokeError('TIMEOUT', `No answer within ${timeout_ms} ms`, null, { cause: error });
  return new InvokeError('UNREACHABLE', `${subject} cannot be reached`, null, { cause: error });
}
