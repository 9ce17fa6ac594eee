import { BalancedClient } from './balanced-client.harness.js';
import { Changing } from './changing.harness.js';
import { type FaultSuite } from './fault-suite.harness.js';
import { Reading } from './reading.harness.js';
import { Reporting } from './reporting.harness.js';
import { Running } from './running.harness.js';
import { Random, seed } from './seed.harness.js';
import { answerFindings, type Asked, type Disturbance } from './suite-history.harness.js';
import { Traffic } from './traffic.harness.js';

/** A steady load of every kind of request, and of producers on NATS, that can tell whether all of it was served right. */
export class Workload {
  private over = true;
  private loops: Promise<void>[] = [];
  private traffic: Traffic | undefined;
  /** Of `client.asked`, where the latest start was. */
  private from = 0;

  private constructor(
    private readonly suite: FaultSuite,
    private readonly random: Random,
    private readonly client: BalancedClient,
    private readonly changing: Changing,
    private readonly reporting: Reporting,
    private readonly running: Running,
    private readonly reading: Reading,
  ) {}

  /** For a load of so long, in all its starts. The gateways must be ready. */
  static async prepare(suite: FaultSuite, gateways: readonly string[], lasting_ms: number): Promise<Workload> {
    const random = new Random(seed, 'workload');
    const client = new BalancedClient(new Map(gateways.map((name) => [name, suite.rootOf(name)])), suite.key);
    const changing = await Changing.prepare(suite, client, random);
    const reporting = await Reporting.prepare(suite, client, random, lasting_ms);
    const running = await Running.prepare(suite, client, random);
    const [model_id] = (await suite.models(1)) as [string];
    const flag_key = 'read';
    const flag = { flag_key, variants: { on: true }, default_variant: 'on', variant_models: { on: model_id } };
    await suite.api.data('/flags', { method: 'POST', body: flag });
    return new Workload(suite, random, client, changing, reporting, running, new Reading(client, random, { model_id, flag_key }));
  }

  async start(lasting_ms: number): Promise<void> {
    this.traffic = await Traffic.start(this.suite, { random: this.random, lasting_ms });
    this.over = false;
    this.from = this.client.asked.length;
    const isOver = (): boolean => this.over;
    this.loops = [this.changing, this.reporting, this.running, this.reading].flatMap((part) => part.loops(isOver));
  }

  /** Since the latest start. */
  get asked(): readonly Asked[] {
    return this.client.asked.slice(this.from);
  }

  /** Resolves when everything that was asked is answered or given up. */
  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.loops);
    await this.traffic?.finish();
  }

  /** Everything wrong since it was prepared, in words; to be called after `stop` and with all replicas running. */
  async findings(disturbances: readonly Disturbance[] = []): Promise<string[]> {
    return [
      ...answerFindings(this.asked, disturbances),
      ...(await this.traffic!.findings()),
      ...(await this.reporting.findings()),
      ...(await this.changing.findings()),
      ...(await this.running.findings()),
    ];
  }

  async close(): Promise<void> {
    this.over = true;
    await Promise.allSettled(this.loops);
    await this.client.stop();
    await this.traffic?.stop();
    await this.reporting.close();
    await this.running.close();
  }
}
