import { type Flag } from '#contracts/flags.js';
import { type Model, type ModelStatus } from '#contracts/registry.js';
import { type Answer } from '../api.harness.js';
import { type BalancedClient, type Kind } from './balanced-client.harness.js';
import { type FaultSuite } from './fault-suite.harness.js';
import { type Random, sleep } from './seed.harness.js';
import { type Audited, type Change, changeFindings, stableFindings, type Thing } from './suite-history.harness.js';

const steps: Record<ModelStatus, readonly ModelStatus[]> = {
  development: ['canary'],
  canary: ['stable', 'stable', 'development'],
  stable: ['canary', 'deprecated'],
  deprecated: ['stable'],
  retired: [],
};
const read: Kind = { kind: 'GET before a change', projected: true };
const patch: Kind = { kind: 'PATCH', expected: ['STALE_REVISION'] };
const move: Kind = { kind: 'POST status', expected: ['STATUS_CHANGE_NOT_ALLOWED', 'STATUS_CHANGE_CONFLICT'] };

const outcomeOf = (answer: Answer | null): Change['outcome'] => {
  if (answer?.status === 200) return 'made';
  return answer === null || answer.status === 503 ? 'unknown' : 'refused';
};

/** Clients that change models and flags with If-Match, and others that race for the one stable version of a name. */
export class Changing {
  private readonly changes: Change[] = [];

  private constructor(
    private readonly suite: FaultSuite,
    private readonly client: BalancedClient,
    private readonly random: Random,
    private readonly edited: readonly string[],
    private readonly names: readonly (readonly string[])[],
    private readonly flags: readonly string[],
  ) {}

  static async prepare(suite: FaultSuite, client: BalancedClient, random: Random): Promise<Changing> {
    const { api } = suite;
    const edited = await suite.models(3);
    const names = await Promise.all(
      ['Raced A', 'Raced B'].map((name) =>
        Promise.all([1, 2, 3].map(async (version) => (await api.register({ name, version: `1.${version}.0` })).model_id)),
      ),
    );
    const flags = ['edited_a', 'edited_b'];
    for (const flag_key of flags)
      await api.data('/flags', { method: 'POST', body: { flag_key, variants: { on: true }, default_variant: 'on' } });
    return new Changing(suite, client, random, edited, names, flags);
  }

  loops(isOver: () => boolean): Promise<void>[] {
    const edits = [...this.edited.map((model_id) => `/registry/${model_id}`), ...this.flags.map((flag_key) => `/flags/${flag_key}`)];
    // Two clients for each thing, so that their revisions collide.
    return [
      ...[...edits, ...edits].map((path) => this.edit(path, isOver)),
      ...[...this.names, ...this.names].map((versions) => this.race(versions, isOver)),
    ];
  }

  async findings(): Promise<string[]> {
    const models = [...this.edited, ...this.names.flat()];
    const audit = [...(await this.audit('registry', models)), ...(await this.audit('flags', [...this.flags]))];
    const things = [
      ...(await this.suite.rows<Thing>('SELECT model_id AS subject_id, revision FROM registry.models WHERE model_id = ANY($1)', [models])),
      ...(await this.suite.rows<Thing>('SELECT flag_key AS subject_id, revision FROM flags.flags WHERE flag_key = ANY($1)', [this.flags])),
    ];
    if (!this.changes.some(({ outcome }) => outcome === 'made')) throw new Error('Nothing was changed: this proves nothing');
    return [...changeFindings(this.changes, audit, things), ...stableFindings(audit)];
  }

  private async edit(path: string, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(this.random.whole(300, 900));
      const thing = (await this.client.send(read, path))?.body as { data?: Model | Flag } | undefined;
      if (!thing?.data) continue;
      const based_on = thing.data.revision;
      const marker = `edit ${this.changes.length}`;
      const change: Change = { subject_id: path.split('/').at(-1)!, marker, based_on, outcome: 'unknown' };
      this.changes.push(change);
      const request = { method: 'PATCH', body: { description: marker }, headers: { 'if-match': `"${based_on}"` } };
      change.outcome = outcomeOf(await this.client.send(patch, path, request));
    }
  }

  private async race(versions: readonly string[], isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await sleep(this.random.whole(300, 900));
      const subject_id = this.random.pick(versions);
      const model = (await this.client.send(read, `/registry/${subject_id}`))?.body as { data?: Model } | undefined;
      if (!model?.data) continue;
      const to = this.random.pick(steps[model.data.status]);
      const marker = `race for the stable version, step ${this.changes.length}`;
      const change: Change = { subject_id, marker, outcome: 'unknown' };
      this.changes.push(change);
      const body = { to, reason: marker, override: true };
      change.outcome = outcomeOf(await this.client.send(move, `/registry/${subject_id}/status`, { method: 'POST', body }));
    }
  }

  /** What the owner's schema says. Whoever was stable before is replaced by the suite itself. */
  private audit(schema: 'registry' | 'flags', subjects: string[]): Promise<Audited[]> {
    return this.suite.rows<Audited>(
      `SELECT subject_id, request_id, (before->>'revision')::float8 AS revision_before, (after->>'revision')::float8 AS revision,
         after->>'name' AS name, after->>'status' AS status,
         CASE WHEN before IS NOT NULL AND coalesce(reason, '') NOT LIKE 'replaced by %' THEN coalesce(reason, after->>'description') END AS marker
       FROM ${schema}.audit WHERE subject_id = ANY($1) AND after ? 'revision' ORDER BY at, audit_id`,
      [subjects],
    );
  }
}
