import { randomBytes } from 'node:crypto';
import { type Role } from '#contracts/access.js';
import { type Model, type NewModel } from '#contracts/registry.js';
import { type OwnNats } from '#testing/nats.js';

export interface Answer {
  status: number;
  headers: Headers;
  /** The parsed JSON; the text where it is none. */
  body: unknown;
}

export interface ApiRequest {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

interface Envelope<Data> {
  success: boolean;
  data: Data;
  page?: { next_cursor: string | null };
  error?: { code: string; message: string; details: Record<string, unknown> | null };
}

/** The REST surface as one key sees it. */
export class Api {
  constructor(
    readonly url: string,
    private readonly key: string | null,
  ) {}

  async send(path: string, { method = 'GET', body, headers = {} }: ApiRequest = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.key && { authorization: `Bearer ${this.key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  }

  /** The data of a successful answer; anything else fails the test with what was answered. */
  async data<Data>(path: string, request: ApiRequest = {}): Promise<Data> {
    return (await this.envelope<Data>(path, request)).data;
  }

  async envelope<Data>(path: string, request: ApiRequest = {}): Promise<Envelope<Data>> {
    const { status, body } = await this.send(path, request);
    if (status !== 200) throw new Error(`${request.method ?? 'GET'} ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body as Envelope<Data>;
  }

  /** Status and error of an answer that must be a failure. */
  async failure(
    path: string,
    request: ApiRequest = {},
  ): Promise<{ status: number; code: string; details: Record<string, unknown> | null }> {
    const { status, body } = await this.send(path, request);
    const { error } = body as Envelope<null>;
    if (!error) throw new Error(`${request.method ?? 'GET'} ${path} did not fail: ${status} ${JSON.stringify(body)}`);
    return { status, code: error.code, details: error.details };
  }

  register(model: Partial<NewModel> = {}): Promise<Model> {
    const body = { name: `Model ${randomBytes(6).toString('hex')}`, version: '1.0.0', model_type: 'transformer', sport: 'MLB', ...model };
    return this.data('/registry', { method: 'POST', body });
  }

  /** Whatever the gate says: for tests that are about something else. */
  move(model_id: string, to: string, reason = 'moved by a test, without evidence'): Promise<Model> {
    return this.data(`/registry/${model_id}/status`, { method: 'POST', body: { to, reason, override: true } });
  }

  async registerAs(status: 'development' | 'canary' | 'stable' | 'retired', model: Partial<NewModel> = {}): Promise<Model> {
    let registered = await this.register(model);
    const steps = { development: [], canary: ['canary'], stable: ['canary', 'stable'], retired: ['retired'] }[status];
    for (const step of steps) registered = await this.move(registered.model_id, step);
    return registered;
  }
}

/** A suite, as far as it is seen from the outside. */
export class ReachableSuite {
  /** As the bootstrap admin. */
  readonly api: Api;

  constructor(
    readonly root: string,
    readonly admin_key: string,
    readonly database_url: string,
    readonly nats_urls: OwnNats['urls'],
  ) {
    this.api = this.as(admin_key);
  }

  /** Of the user who may do everything. */
  get nats_url(): string {
    return this.nats_urls.operator;
  }

  as(key: string | null): Api {
    return new Api(`${this.root}/api/models/enterprise`, key);
  }

  /** A new key of this role. */
  async withRole(role: Role, narrowed: { sports?: string[]; names?: string[]; expires_at?: string } = {}): Promise<Api> {
    const body = { name: `${role} of a test`, role, ...narrowed };
    return this.as((await this.api.data<{ key: string }>('/keys', { method: 'POST', body })).key);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Waits for something that comes about by itself; fails with what was seen last. */
export async function eventually<Seen>(look: () => Promise<Seen>, isIt: (seen: Seen) => boolean, deadlineMs = 5_000): Promise<Seen> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (isIt(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`Not within ${deadlineMs} ms; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
