import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type CreatedKey } from '#contracts/access.js';
import { eventually } from '../api.harness.js';
import { memoryOf } from '../load/process-watch.harness.js';
import { type App, Processes, services } from '../processes.harness.js';
import { type Description, type Operation, operationsOf } from './description.harness.js';
import { type Places } from './dictionary.harness.js';
import { closeConnections, type Exchange } from './exchange.harness.js';
import { keyOf } from './history-checks.harness.js';
import { narrowed, type Principal, principals } from './principals.harness.js';
import { type Producers, producersOf } from './producers.harness.js';
import { Report } from './report.harness.js';
import { Resources } from './resources.harness.js';
import { Schemas } from './schemas.harness.js';

const apps: readonly App[] = [...services, 'gateway'];
/** What model servers and webhooks of the sequences answer. */
const prediction = JSON.stringify({ outputs: [{ name: 'o', datatype: 'FP64', shape: [1], data: [0.5] }], score: 0.5, text: 'aaaa' });

/** The services as processes, with those who ask them and what is known of their description. The caller closes it. */
export class FuzzSuite {
  readonly report = new Report();
  /** What any sequence has made, as `kind id`. */
  readonly everMade = new Set<string>();
  /** Ids of what no sequence makes for itself, by kind. */
  readonly standing = new Map<string, string>();
  readonly secrets: string[];
  private readonly keys = new Map<string, string>();
  private names = 0;

  private constructor(
    private readonly processes: Processes,
    private readonly modelServer: Server,
    readonly places: Places,
    readonly operations: Operation[],
    readonly description: Description,
    readonly schemas: Schemas,
    readonly resources: Resources,
    readonly producers: Producers,
  ) {
    const passwords = Object.values({ ...processes.nats.urls, ...processes.database.urls }).map((url) => new URL(url).password);
    this.secrets = [processes.admin_key, processes.pepper, ...passwords].filter((secret) => secret.length >= 8);
  }

  static async start(): Promise<FuzzSuite> {
    const modelServer = createServer((incoming, outgoing) => {
      incoming.resume();
      outgoing.setHeader('content-type', 'application/json').end(prediction);
    }).listen(0, '127.0.0.1');
    await once(modelServer, 'listening');
    const processes = await Processes.prepare({
      LOG_LEVEL: 'error',
      VALIDATION_ALLOWED_NETWORKS: '127.0.0.1/32',
      WEBHOOK_ALLOWED_NETWORKS: '127.0.0.1/32',
      HEALTH_TICK_SECONDS: '1',
      // A busy machine is no overload: test/load is about that.
      OVERLOAD_AFTER_MS: '0',
      // Every tenth request shows a wrong key.
      ADDRESS_MAX_FAILURES_PER_MINUTE: '0',
    });
    await Promise.all(apps.map((app) => processes.start(app)));
    const description = (await (await fetch(`${processes.rootOf('gateway')}/openapi.json`)).json()) as Description;
    const operations = operationsOf(description);
    const places = { modelServer: `http://127.0.0.1:${(modelServer.address() as AddressInfo).port}` };
    const known = [new Schemas(description), new Resources(operations), producersOf(operations, places)] as const;
    const suite = new FuzzSuite(processes, modelServer, places, operations, description, ...known);
    await suite.makeKeys();
    return suite;
  }

  get root(): string {
    return this.processes.rootOf('gateway');
  }

  /** Null: asks without one. */
  keyOf({ name }: Principal): string | null {
    return this.keys.get(name) ?? null;
  }

  freshName(kind: string): string {
    return `${kind}${++this.names}`;
  }

  /** Makes an alert with a delivery, which come of a tick only. */
  async makeAlert(): Promise<void> {
    const { api } = this.processes;
    const { model_id } = await api.register({ sport: 'MLB' });
    const hook = { name: 'Standing', url: `${this.places.modelServer}/hook`, format: 'json' };
    const { webhook_id } = await api.data<{ webhook_id: string }>('/webhooks', { method: 'POST', body: hook });
    const rule = {
      ...{ name: 'Standing', metric: 'error_rate', severity: 'critical', minimum_inferences: 1, for_minutes: 0, applies_to: { model_id } },
      comparison: { kind: 'fixed', op: 'above', value: 10 },
    };
    await api.data('/alerts/rules', { method: 'POST', body: rule });
    await api.data(`/registry/${model_id}/inference?timing_ms=1&success=false&error=no`, { method: 'POST' });
    const [delivery] = await eventually(
      () => api.data<{ delivery_id: string; alert_id: string }[]>(`/webhooks/${webhook_id}/deliveries`),
      (all) => all.length > 0,
      15_000,
    );
    const [alert] = await api.data<{ alert_id: string }[]>('/alerts');
    this.stand('hook_with_deliveries', webhook_id);
    this.everMade.add(keyOf({ kind: 'webhook_id', id: webhook_id }));
    this.stand('delivery_id', delivery!.delivery_id);
    this.stand('alert_id', alert!.alert_id);
  }

  private stand(kind: string, id: string): void {
    this.standing.set(kind, id);
    this.everMade.add(keyOf({ kind, id }));
  }

  /** Says of each process that does not run as it should what is wrong with it. */
  async unwell(most_bytes: number): Promise<string[]> {
    const all = await Promise.all(
      apps.map(async (app) => {
        const readiness = await fetch(`${this.processes.rootOf(app)}/readyz`).then(
          (answer) => (answer.ok ? null : answer.text()),
          (error: Error) => error.message,
        );
        if (readiness !== null) return `${app} is not ready: ${readiness}; it said: ${this.processes.outputOf(app).slice(-2_000)}`;
        const bytes = this.memoryOf(app);
        return bytes > most_bytes ? `${app} takes ${Math.round(bytes / 1024 ** 2)} MB` : null;
      }),
    );
    return all.filter((problem) => problem !== null);
  }

  /** In bytes, by process. */
  memory(): [App, number][] {
    return apps.map((app) => [app, this.memoryOf(app)]);
  }

  private memoryOf(app: App): number {
    return process.platform === 'linux' ? memoryOf(this.processes.pidOf(app)) : 0;
  }

  /** What the processes have logged of a request. */
  logsOf({ answer }: Exchange): string {
    const id = String(answer?.headers['x-request-id']);
    return apps
      .flatMap((app) =>
        this.processes
          .outputOf(app)
          .split('\n')
          .map((line) => `${app}: ${line}`),
      )
      .filter((line) => line.includes(id))
      .join('\n');
  }

  async close(): Promise<void> {
    closeConnections();
    this.modelServer.closeAllConnections();
    this.modelServer.close();
    await this.processes.close();
  }

  private async makeKeys(): Promise<void> {
    const { api } = this.processes;
    const make = async (name: string, body: object): Promise<CreatedKey> => {
      const made = await api.data<CreatedKey>('/keys', { method: 'POST', body: { name, ...body } });
      this.keys.set(name, made.key);
      this.secrets.push(made.key);
      return made;
    };
    for (const { name, role } of principals.filter((one) => one.role !== null && one.sport === null)) await make(name, { role });
    for (const { name, role, sport } of narrowed) await make(name, { role, sports: [sport] });
    const { key_id } = await make('revoked', { role: 'admin' });
    await api.data(`/keys/${key_id}`, { method: 'DELETE' });
    this.keys.set('wrong', `emr_live_${'0'.repeat(8)}_${'w'.repeat(40)}`);
  }
}
