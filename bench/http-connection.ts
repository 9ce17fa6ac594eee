import { connect, type Socket } from 'node:net';

const separator = '\r\n\r\n';
const patienceMs = 10_000;

/** A request as it goes over the wire. `body`: JSON. */
export interface Sent {
  path: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string | undefined;
}

export const requestBytes = (host: string, { path, method, headers, body = '' }: Sent): Buffer => {
  const length = method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {};
  const lines = Object.entries({ host, ...headers, ...length }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
};

export interface Answer {
  status: number;
  body: string;
}

/**
 * A connection that asks and waits, for a benchmark: it takes little of the machine that is measured, reads what our servers answer, with a
 * Content-Length, and nothing else of HTTP.
 */
export class HttpConnection {
  private readonly socket: Socket;
  /** The beginning of an answer. */
  private before: Buffer | null = null;
  private answered: (answer: Answer) => void = () => undefined;

  private constructor(
    origin: string,
    opened: () => void,
    private fail: (error: Error) => void,
  ) {
    const { hostname: host, port } = new URL(origin);
    const callback = (length: number, buffer: Uint8Array): boolean => this.take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
    this.socket = connect({ host, port: Number(port), onread: { buffer: Buffer.allocUnsafe(65_536), callback } }, opened);
    this.socket.setNoDelay(true);
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error(`${origin} closed the connection`)));
    this.socket.setTimeout(patienceMs, () => this.fail(new Error(`${origin} did not answer in ${patienceMs} ms`)));
  }

  static open(origin: string): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const connection = new HttpConnection(origin, () => resolve(connection), reject);
    });
  }

  /** Calls back with each answer, until there is nothing more to `next`. Rejects where the connection fails, or the callback. */
  askAll(next: () => Buffer | null, answered: (answer: Answer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const ask = (): void => {
        const bytes = next();
        if (bytes) this.socket.write(bytes);
        else resolve();
      };
      this.fail = reject;
      this.answered = (answer) => {
        answered(answer);
        ask();
      };
      ask();
    });
  }

  close(): void {
    this.fail = () => undefined;
    this.socket.destroy();
  }

  private take(chunk: Buffer): true {
    const bytes = this.before ? Buffer.concat([this.before, chunk]) : chunk;
    try {
      const answer = answerIn(bytes);
      // What is read next comes into the same memory.
      this.before = answer ? null : Buffer.from(bytes);
      if (answer) this.answered(answer);
    } catch (error) {
      this.fail(error as Error);
    }
    return true;
  }
}

/** Null while it is not whole. Throws for what is no answer of one of our servers. */
function answerIn(bytes: Buffer): Answer | null {
  const end = bytes.indexOf(separator);
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
  const told = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (told === undefined && status !== 304) throw new Error(`An answer without a length: ${head}`);
  const from = end + separator.length;
  const to = from + Number(told ?? 0);
  if (bytes.length > to) throw new Error(`More than one answer: ${bytes.toString()}`);
  return bytes.length < to ? null : { status, body: bytes.toString('utf8', from, to) };
}
