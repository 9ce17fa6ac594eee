import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { type Operation } from './description.harness.js';
import { type Principal } from './principals.harness.js';

/** A request as it was sent. */
export interface Sent {
  operation: Operation;
  principal: Principal;
  /** With the query, as it goes over the wire. */
  path: string;
  /** The parameters of the path, decoded; null where one cannot be. */
  params: Record<string, string | null>;
  /** The parameters of the query, decoded, in their order; null where the query cannot be. */
  query: [name: string, value: string][] | null;
  /** Without the key. */
  headers: Record<string, string>;
  body: Buffer | undefined;
}

export interface Received {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The parsed JSON; undefined where it is none. */
  body: unknown;
}

/** A request with what came of it. */
export interface Exchange extends Sent {
  /** Null where there was no answer; `failure` says why. */
  answer: Received | null;
  failure: string;
  /** On one clock for all exchanges, in milliseconds. */
  began_ms: number;
  ended_ms: number;
}

/** Far more than a service is given to answer the gateway, see libs/contracts. */
const deadlineMs = 10_000;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Sends a request with the key of its principal, null without one; never fails. */
export async function exchange(root: string, sent: Sent, key: string | null): Promise<Exchange> {
  const first = await attempt(root, sent, key);
  // The server may close a connection that waits for the next request just as that is sent on it.
  return first.failure === staleConnection ? attempt(root, sent, key) : first;
}

const staleConnection = 'the connection was closed before';

function attempt(root: string, sent: Sent, key: string | null): Promise<Exchange> {
  const began_ms = performance.now();
  const { hostname, port } = new URL(root);
  const headers = {
    ...(key !== null && { authorization: `Bearer ${key}` }),
    ...sent.headers,
    ...(sent.body && { 'content-length': String(sent.body.length) }),
  };
  return new Promise((resolve) => {
    const end = (answer: Received | null, failure: string): void => {
      clearTimeout(timer);
      resolve({ ...sent, answer, failure, began_ms, ended_ms: performance.now() });
    };
    const outgoing = request({ host: hostname, port, agent, method: sent.operation.method, path: sent.path, headers }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('error', (error) => end(null, `the answer broke off: ${error.message}`));
      incoming.on('end', () => {
        const text = Buffer.concat(parts).toString();
        end({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: parsed(text) }, '');
      });
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      end(null, error.code === 'ECONNRESET' && outgoing.reusedSocket ? staleConnection : error.message),
    );
    outgoing.end(sent.body);
  });
}

export function closeConnections(): void {
  agent.destroy();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const succeeded = ({ answer }: Exchange): boolean => answer !== null && answer.status >= 200 && answer.status < 300;

/** What a success has under `data`, where that is an object. */
export function dataOf(one: Exchange): Record<string, unknown> {
  const data = succeeded(one) ? (one.answer!.body as { data?: unknown } | undefined)?.data : undefined;
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : {};
}
