import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { type Random, sleep } from './seed.harness.js';

/** `up`: from the client to the server. */
export type Direction = 'up' | 'down';

interface Link {
  client: Socket;
  server: Socket;
  /** Swallows what the client says and answers nothing, though to the client the connection looks whole. */
  dead: boolean;
}

/**
 * A TCP connection that misbehaves on command, between a client and a port of 127.0.0.1. Commands hold for open and for new connections until
 * `heal`; `halfOpen` and `reset` are done to the connections there are.
 */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private readonly swallowed = new Set<Direction>();
  private readonly triggers: { direction: Direction; matches: (chunk: Buffer) => boolean }[] = [];
  private delayMs = 0;
  private slicing: { random: Random; most: number } | undefined;

  private constructor(private readonly listener: Server) {}

  static async to(targetPort: number): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true, allowHalfOpen: true });
    const proxy = new TcpProxy(listener);
    listener.on('connection', (client) => proxy.link(client, targetPort));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.links.size;
  }

  /** The same address with the proxy in between. */
  between(url: string): string {
    const through = new URL(url);
    through.port = String(this.port);
    return through.href;
  }

  /** Everything takes so much longer, each way. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Bytes arrive in pieces of 1..`most`, cut at random places. */
  slice(random: Random, most: number): void {
    this.slicing = { random, most };
  }

  /** What goes this way is lost without a word; a stream that is healed later lacks a part. */
  blackhole(...directions: Direction[]): void {
    for (const direction of directions) this.swallowed.add(direction);
  }

  /** A black hole from the first chunk on that matches, that one included. Resolves when it has come. */
  blackholeFrom(direction: Direction, matches: (chunk: Buffer) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const trigger = {
        direction,
        matches: (chunk: Buffer): boolean => {
          if (!matches(chunk)) return false;
          this.triggers.splice(this.triggers.indexOf(trigger), 1);
          this.swallowed.add(direction);
          resolve();
          return true;
        },
      };
      this.triggers.push(trigger);
    });
  }

  /** As when the server's machine loses its power: the client hears nothing, not even that the connection is gone. */
  halfOpen(): void {
    for (const link of this.links) {
      link.dead = true;
      link.server.destroy();
    }
  }

  /** RST to both ends of every connection, the dead ones too. */
  reset(): void {
    for (const { client, server } of this.links) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.links.clear();
  }

  /** From here on everything passes; a connection that is half open stays so. */
  heal(): void {
    this.delayMs = 0;
    this.slicing = undefined;
    this.swallowed.clear();
    this.triggers.length = 0;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.listener.close(resolve));
    this.reset();
    await closed;
  }

  private link(client: Socket, targetPort: number): void {
    const server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const link: Link = { client, server, dead: false };
    this.links.add(link);
    this.pump(link, 'up', client, server);
    this.pump(link, 'down', server, client);
    const end = (): void => {
      if (link.dead && !client.destroyed) return;
      client.destroy();
      server.destroy();
      this.links.delete(link);
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
  }

  /** One chunk after the other, each at its time, so that a delay keeps order and does not cost throughput. */
  private pump(link: Link, direction: Direction, from: Socket, to: Socket): void {
    let sent: Promise<void> = Promise.resolve();
    const inTurn = (step: () => Promise<void> | void): void => {
      const due = Date.now() + this.delayMs;
      sent = sent.then(async () => {
        if (due > Date.now()) await sleep(due - Date.now());
        await step();
      });
    };
    from.on('data', (chunk: Buffer) => {
      if (link.dead || this.isSwallowed(direction, chunk)) return;
      inTurn(() => this.pass(link, to, chunk));
    });
    from.on('end', () => {
      // A goodbye does not get through a black hole either.
      if (!link.dead && !this.swallowed.has(direction)) inTurn(() => void to.end());
    });
  }

  private isSwallowed(direction: Direction, chunk: Buffer): boolean {
    if (this.swallowed.has(direction)) return true;
    return this.triggers.some((trigger) => trigger.direction === direction && trigger.matches(chunk));
  }

  private async pass(link: Link, to: Socket, chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length && !to.destroyed && !link.dead) {
      const length = this.slicing ? Math.min(this.slicing.random.whole(1, this.slicing.most), rest.length) : rest.length;
      to.write(rest.subarray(0, length));
      rest = rest.subarray(length);
      if (rest.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
