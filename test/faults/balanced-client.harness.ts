import { randomBytes } from 'node:crypto';
import { type Answer, type ApiRequest } from '../api.harness.js';
import { type Asked } from './suite-history.harness.js';
import { sleep } from './seed.harness.js';

const lookEveryMs = 150;
const giveUpMs = 30_000;

/** How a kind of request may be answered. */
export interface Kind {
  kind: string;
  /** Error codes that are right answers of this kind, beside those of an unavailable service. */
  expected?: readonly string[];
  /** Answered from the gateway's memory, whatever else is down. */
  projected?: boolean;
}

/**
 * A client behind a balancer of load: asks any gateway that says it is ready, and keeps what came of it. A request that was not answered is not
 * sent again; whether it was carried out, its client cannot know.
 */
export class BalancedClient {
  readonly asked: Asked[] = [];
  private readonly ready = new Set<string>();
  private stopped = false;
  private turn = 0;
  private readonly watching: Promise<void>[];

  /** `gateways`: their roots by name. */
  constructor(
    private readonly gateways: ReadonlyMap<string, string>,
    private readonly key: string,
  ) {
    this.watching = [...gateways].map(([name, root]) => this.watch(name, root));
  }

  /** `path` below the prefix. Null: no answer came. */
  async send({ kind, expected = [], projected = false }: Kind, path: string, request: ApiRequest = {}): Promise<Answer | null> {
    const gateway = await this.pick();
    const request_id = `asked-${this.asked.length}-${randomBytes(3).toString('hex')}`;
    const headers = { ...request.headers, 'x-request-id': request_id };
    const began_ms = Date.now();
    const answer = await this.fetch(`${this.gateways.get(gateway)}/api/models/enterprise${path}`, { ...request, headers }).catch(
      () => null,
    );
    const code = (answer?.body as { error?: { code?: string } | null } | undefined)?.error?.code ?? null;
    const took_ms = Date.now() - began_ms;
    this.asked.push({ kind, request_id, gateway, began_ms, took_ms, status: answer?.status ?? null, code, expected, projected });
    return answer;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.watching);
  }

  private async fetch(url: string, { method = 'GET', body, headers }: ApiRequest): Promise<Answer> {
    const response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(giveUpMs),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  private async pick(): Promise<string> {
    while (this.ready.size === 0 && !this.stopped) await sleep(lookEveryMs);
    const ready = this.ready.size ? [...this.ready] : [...this.gateways.keys()];
    return ready[this.turn++ % ready.length]!;
  }

  private async watch(name: string, root: string): Promise<void> {
    while (!this.stopped) {
      const isReady = await fetch(`${root}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) this.ready.add(name);
      else this.ready.delete(name);
      await sleep(lookEveryMs);
    }
  }
}
