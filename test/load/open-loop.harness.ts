import { connect, type Socket } from 'node:net';

/** A request as it goes over the wire. */
export interface Shot {
  kind: string;
  bytes: Buffer;
}

export interface Shots {
  kind: string;
  /** From when it was to be sent. */
  took_ms: number;
  /** 0: no answer came; `kept`: it was never sent, since all connections were waiting for answers. */
  status: number | 'kept';
  /** Whether a refusal says when to try again. */
  retryAfter: boolean;
}

export const shot = (kind: string, host: string, method: string, path: string, key: string, body?: object): Shot => {
  const text = body ? JSON.stringify(body) : '';
  const head = [`${method} ${path} HTTP/1.1`, `host: ${host}`, `authorization: Bearer ${key}`];
  if (body) head.push('content-type: application/json', `content-length: ${Buffer.byteLength(text)}`);
  return { kind, bytes: Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`) };
};

const tickMs = 5;
const opensAtOnce = 100;
const answerWithinMs = 30_000;

/** One keep-alive connection, with one request at a time; reads of an answer what is to be known and no more. */
class Line {
  private readonly socket: Socket;
  private received = '';
  private length = -1;
  private answered: ((status: number, retryAfter: boolean) => void) | undefined;

  constructor(
    port: number,
    private readonly freed: (line: Line) => unknown,
    private readonly gone: (line: Line) => void,
  ) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => this.read(chunk));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.gone(this);
      this.settle(0, false);
    });
  }

  send({ bytes }: Shot, answered: (status: number, retryAfter: boolean) => void): void {
    this.answered = answered;
    this.socket.write(bytes);
  }

  close(): void {
    this.socket.destroy();
  }

  private read(chunk: string): void {
    this.received += chunk;
    if (this.length < 0) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const announced = /\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, end))?.[1];
      this.length = end + 4 + Number(announced ?? 0);
    }
    if (this.received.length < this.length) return;
    const status = Number(this.received.slice(9, 12));
    const retryAfter = status === 503 && /\r\nretry-after: \d/i.test(this.received.slice(0, this.length));
    this.received = '';
    this.length = -1;
    this.settle(status, retryAfter);
    if (!this.socket.destroyed) this.freed(this);
  }

  private settle(status: number, retryAfter: boolean): void {
    const { answered } = this;
    this.answered = undefined;
    answered?.(status, retryAfter);
  }
}

/**
 * Sends at a fixed rate whatever becomes of what was sent before, over connections that were used before, as ingresses keep them: Node takes one new
 * connection in a pass of its event loop, whatever waits. What finds none free is not sent, so that what the client's own queue takes is not
 * taken for the gateway's.
 */
export class OpenLoop {
  private readonly idle: Line[] = [];
  private readonly lines = new Set<Line>();
  private readonly results: Shots[] = [];

  constructor(
    private readonly port: number,
    private readonly shots: readonly Shot[],
    /** How many at a time are sent and not yet answered, at most. */
    private readonly most: number,
  ) {}

  /** Open ones, which are kept for what is sent next. */
  get connections(): number {
    return this.lines.size;
  }

  /** Resolves when everything is answered, or after 30 s without. */
  async run(perSecond: number, lasting_ms: number): Promise<Shots[]> {
    while (this.lines.size < this.most) {
      const more = Math.min(opensAtOnce, this.most - this.lines.size);
      await Promise.all(Array.from({ length: more }, () => new Promise<void>((used) => this.open().send(this.shots[0]!, () => used()))));
    }
    const began = performance.now();
    let sent = 0;
    const all = Math.floor((perSecond * lasting_ms) / 1_000);
    while (sent < all) {
      const due = Math.min(all, Math.floor(((performance.now() - began) * perSecond) / 1_000));
      for (; sent < due; sent++) this.shoot(this.shots[sent % this.shots.length]!, began + (sent * 1_000) / perSecond);
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
    for (const until = performance.now() + answerWithinMs; this.results.length < all && performance.now() < until;)
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    for (const line of this.lines) line.close();
    const missing = Array.from({ length: all - this.results.length }, () => unanswered);
    return [...this.results, ...missing];
  }

  private shoot(shot: Shot, due_ms: number): void {
    const { kind } = shot;
    // The gateway closes what was long idle.
    const line = this.idle.pop() ?? (this.lines.size < this.most ? this.open() : undefined);
    if (line) line.send(shot, (status, retryAfter) => this.results.push({ kind, took_ms: performance.now() - due_ms, status, retryAfter }));
    else this.results.push({ kind, took_ms: 0, status: 'kept', retryAfter: false });
  }

  private open(): Line {
    const line = new Line(
      this.port,
      (freed) => this.idle.push(freed),
      (gone) => {
        this.lines.delete(gone);
        const at = this.idle.indexOf(gone);
        if (at >= 0) this.idle.splice(at, 1);
      },
    );
    this.lines.add(line);
    return line;
  }
}

const unanswered: Shots = { kind: 'unanswered', took_ms: answerWithinMs, status: 0, retryAfter: false };

/** As many as are answered with so many at once, each sent when another one was answered: requests a second. */
export async function closedLoop(port: number, shots: readonly Shot[], atOnce: number, lasting_ms: number): Promise<number> {
  let answered = 0;
  let next = 0;
  const lines: Line[] = [];
  const send = (line: Line): void => line.send(shots[next++ % shots.length]!, (status) => (answered += status === 200 ? 1 : 0));
  for (let line = 0; line < atOnce; line++) {
    const opened = new Line(port, send, () => undefined);
    lines.push(opened);
    send(opened);
  }
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, lasting_ms));
  const rate = (answered * 1_000) / (performance.now() - began);
  for (const line of lines) line.close();
  return rate;
}

/** Of a list that need not be sorted; 0 of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
}
