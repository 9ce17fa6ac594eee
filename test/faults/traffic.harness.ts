import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inferenceStream } from '#contracts/inference.js';
import { type Metrics } from '#contracts/metrics.js';
import { eventually } from '../api.harness.js';
import { type FaultSuite, killHard, spawnNode } from './fault-suite.harness.js';
import { asRead, findings, type LedgerRange, type SentMessage, shortened, type StoredRow, type WindowRow } from './history.harness.js';
import { EventPlan } from './plan.harness.js';
import { type Random } from './seed.harness.js';

const mostEvents = 20;
/** Messages per second of one producer: on average ten times as many events. */
const rate = 40;

interface Producer {
  child: ChildProcess;
  index: number;
  plan: string;
}

export interface TrafficOptions {
  random: Random;
  /** How long, in milliseconds, the producers are to have something to say. */
  lasting_ms: number;
  producers?: number;
  /** Where the producers find NATS, if not at the server itself. */
  nats_url?: string;
}

/** Producers that publish events with an identity each (see `EventPlan`), and the oracle that their log is. */
export class Traffic {
  private readonly producers: Producer[] = [];
  private readonly log: string;
  /** By producer and line of its plan. */
  private readonly messages: number[][][];
  private incarnations = 0;

  private constructor(
    private readonly suite: FaultSuite,
    private readonly plan: EventPlan,
    private readonly directory: string,
    private readonly nats_url: string,
    random: Random,
    count: number,
  ) {
    this.log = join(directory, 'log');
    writeFileSync(this.log, '');
    const all = plan.messages(random, mostEvents);
    this.messages = Array.from({ length: count }, (_, index) => all.filter((_, number) => number % count === index));
  }

  static async start(
    suite: FaultSuite,
    { random, lasting_ms, producers = 2, nats_url = suite.nats.urls.publisher }: TrafficOptions,
  ): Promise<Traffic> {
    const events = (rate * producers * mostEvents * (lasting_ms + 5_000)) / 2_000;
    const plan = new EventPlan(await suite.models(EventPlan.modelsFor(events)));
    const directory = mkdtempSync(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'traffic-'));
    const traffic = new Traffic(suite, plan, directory, nats_url, random, producers);
    traffic.messages.forEach((messages, index) => {
      const file = join(directory, `plan-${index}`);
      writeFileSync(file, messages.map((slots) => `${plan.body(slots)}\n`).join(''));
      traffic.producers.push({ index, plan: file, child: traffic.spawn(index, file) });
    });
    await traffic.hasBegun();
    return traffic;
  }

  get models(): readonly string[] {
    return this.plan.models;
  }

  /** SIGKILL: what it had not been told is stored is for nobody to send again. */
  async kill(index: number): Promise<void> {
    await killHard(this.producers[index]!.child);
  }

  /** As a service that is restarted: a new name, numbers from 0, and only messages that were never sent. */
  revive(index: number): void {
    const producer = this.producers[index]!;
    producer.child = this.spawn(index, producer.plan);
  }

  /** Nothing new is sent; resolves when everything is acknowledged that is not lost with a killed producer. Throws after 60 s. */
  async finish(): Promise<void> {
    await Promise.all(
      this.producers.map(async ({ child, index }) => {
        if (child.exitCode === null && child.signalCode === null) {
          const exit = once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
          child.kill('SIGTERM');
          await exit;
        }
        if (child.signalCode === null && child.exitCode !== 0) throw new Error(`Producer ${index} ended with ${child.exitCode}`);
      }),
    );
  }

  history(): SentMessage[] {
    const sent = new Map<string, SentMessage>();
    for (const line of readFileSync(this.log, 'utf8').split('\n')) {
      const [kind, producer = '', sequence, planLine] = line.split(' ');
      if (kind === 'S') {
        const slots = this.messages[Number(producer.split('-')[1])]![Number(planLine)]!;
        sent.set(`${producer} ${sequence}`, { producer, sequence: Number(sequence), slots, acknowledged: false });
      } else if (kind === 'A') {
        sent.get(`${producer} ${sequence}`)!.acknowledged = true;
      }
    }
    return [...sent.values()];
  }

  /** Everything wrong with what was counted, once nothing waits any more; see `findings`. Throws when something still waits after 30 s. */
  async findings(): Promise<string[]> {
    await this.suite.lagIsZero();
    const sent = this.history();
    if (!sent.some(({ acknowledged }) => acknowledged)) throw new Error('Nothing was acknowledged: this proves nothing');
    const [folded] = await this.suite.rows(
      "SELECT FROM metrics.model_window WHERE period = 'minute' AND folded AND model_id = ANY($1) LIMIT 1",
      [this.models],
    );
    if (!folded) throw new Error('No minute was folded: this proves nothing of folds');
    const windows = await windowsOf(this.suite, this.models);
    const ledger = await ledgerOf(this.suite, [...new Set(sent.map(({ producer }) => producer))]);
    return shortened([...findings(this.plan, sent, { windows, ledger }), ...(await this.answerFindings(windows))]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.producers.map(({ child }) => killHard(child)));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Whether the REST surface says what the tables say, once it is metrics that says it: an answer with an age is what was published before. */
  private async answerFindings(windows: readonly WindowRow[]): Promise<string[]> {
    const found: string[] = [];
    for (const { model_id, total, successful, error_types } of windows.filter(({ period }) => period === 'lifetime')) {
      const { body } = await eventually(
        () => this.suite.api.send(`/registry/${model_id}/metrics`),
        ({ status, headers }) => status === 200 && !headers.has('age'),
        30_000,
      );
      const answer = (body as { data: Metrics }).data;
      const same =
        answer.total_inferences === total &&
        answer.successful_inferences === successful &&
        Object.entries(error_types).every(([type, count]) => answer.error_types[type] === count);
      if (!same) found.push(`GET metrics of ${model_id} answers ${JSON.stringify(answer)}, its table says ${total}, ${successful}`);
    }
    return found;
  }

  private async hasBegun(): Promise<void> {
    const count = this.producers.length;
    await eventually(
      async () => new Set(this.history().map(({ producer }) => producer)).size,
      (talking) => talking === count,
      30_000,
    );
  }

  private spawn(index: number, plan: string): ChildProcess {
    const name = `producer-${index}-${this.incarnations++}-${this.directory.slice(-6)}`;
    const sent = this.history().filter(({ producer }) => producer.startsWith(`producer-${index}-`)).length;
    const script = join(process.cwd(), 'test/faults/producer.mjs');
    return spawnNode([script, this.nats_url, name, plan, String(sent), this.log, String(rate), JSON.stringify(inferenceStream)]);
  }
}

export async function windowsOf(suite: FaultSuite, models: readonly string[]): Promise<WindowRow[]> {
  const rows = await suite.rows<StoredRow>(
    `SELECT model_id, period, total::float8, successful::float8, sum_ms, min_ms, max_ms, sketch, error_types, folded
     FROM metrics.model_window WHERE model_id = ANY($1) AND flag_key = '' AND variant = ''`,
    [models],
  );
  return asRead(rows);
}

async function ledgerOf(suite: FaultSuite, sources: readonly string[]): Promise<LedgerRange[]> {
  return suite.rows<LedgerRange>(
    `SELECT source, lower(range)::float8 AS from, upper(range)::float8 AS to
     FROM metrics.ingest_ledger, unnest(applied) AS range WHERE source = ANY($1)`,
    [sources],
  );
}
