import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type ErrorCode, type FieldProblem, statusOfCode } from '#contracts/errors.js';

export interface RawRequest {
  method: string;
  /** As it goes over the wire: nothing tidies `..` or encodes again. */
  path: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
}

export interface RawAnswer {
  status: number;
  type: string;
  text: string;
}

/** Requests that fetch would refuse to send or would put right. */
export class RawHttp {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(
    private readonly port: number,
    private readonly key: string,
  ) {}

  send({ method, path, body, headers = {} }: RawRequest): Promise<RawAnswer> {
    const authorization = `Bearer ${this.key}`;
    const length = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.port,
        agent: this.agent,
        method,
        path,
        headers: { authorization, ...length, ...headers },
      };
      const sent = request(options, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const { statusCode = 0, headers: given } = answer;
          resolve({ status: statusCode, type: given['content-type'] ?? '', text: Buffer.concat(parts).toString() });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

export async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** All that comes back on a connection until it is closed. */
export async function everythingOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'close');
  return text;
}

/** The head of a registration whose body is to be of `length` bytes. */
export const registrationHead = (key: string, length: number): string =>
  `POST /api/models/enterprise/registry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

interface Failure {
  code: ErrorCode;
  message: string;
  details: Record<string, unknown> | null;
}

/** The error of an answer, or a sentence on why the answer is not exactly the error envelope under the status of its code. */
export function failureOf({ status, type, text }: RawAnswer): Failure | string {
  const seen = `${status} ${text.slice(0, 300)}`;
  if (status >= 500) return `a fault of ours: ${seen}`;
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return `not JSON: ${seen}`;
  }
  const { success, data, error } = body;
  if (success === true) return `accepted: ${seen}`;
  const keys = Object.keys(body).sort().join();
  const inside = typeof error === 'object' && error !== null ? Object.keys(error).sort().join() : '';
  if (success !== false || data !== null || keys !== 'data,error,success' || inside !== 'code,details,message')
    return `not the envelope: ${seen}`;
  const failure = error as Failure;
  if (!Object.hasOwn(statusOfCode, failure.code) || statusOfCode[failure.code] !== status) return `code and status do not fit: ${seen}`;
  if (!type.startsWith('application/json') || typeof failure.message !== 'string' || !failure.message) return `no message: ${seen}`;
  return failure;
}

/** What an INVALID_INPUT says of each field. */
export function problemsOf(failure: Failure): FieldProblem[] {
  return failure.code === 'INVALID_INPUT' ? (failure.details?.fields as FieldProblem[]) : [];
}
