import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Flag } from '#contracts/flags.js';
import { type Model } from '#contracts/registry.js';
import { type ViewContract } from '#contracts/view.js';
import { KnownFlags } from '#gateway/known-flags.store.js';
import { KnownModels } from '#gateway/known-models.store.js';
import { recordText } from '#gateway/record-text.js';
import { system } from '#runtime/caller.js';
import { Followed } from '#runtime/followed.js';

const everybody = { sports: null, names: null };
const at = '2026-01-01T00:00:00.000Z';

const modelOf = (index: number): Model => ({
  model_id: `mlb_model_${index.toString(16).padStart(8, '0')}`,
  name: `Bench ${index}`,
  version: '1.0.0',
  model_type: 'ensemble',
  status: 'stable',
  description: 'A model of the read benchmark',
  sport: 'MLB',
  created_at: new Date(Date.parse(at) + index).toISOString(),
  updated_at: at,
  created_by: 'bench',
  deployment_target: 'production',
  feature_flag_id: null,
  rollout_percentage: 0,
  rollout_id: null,
  retention_days: 90,
  serving: null,
  objectives: null,
  retired_at: null,
  revision: 1,
});

const flagOf = (index: number): Flag => ({
  flag_key: `bench_${index}`,
  description: 'A flag of the read benchmark',
  state: 'ENABLED',
  variants: { on: true, off: false },
  default_variant: 'off',
  targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
  split: { algorithm: 'fractional', salt: `bench_${index}`, weights: { on: 30, off: 70 } },
  metadata: {},
  variant_models: {},
  owner: null,
  expires_at: null,
  tags: [],
  rollout_id: null,
  created_at: at,
  updated_at: at,
  created_by: 'bench',
  revision: 1,
});

/** The heap, in bytes, after all that can be let go was. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** What a gateway's projections of so many models and flags take, the flags compiled. Records come out of JSON, as from NATS. */
export function memoryOf(count: number): string {
  const followed: Followed<object>[] = [];
  const views = {
    follow<Record extends object>(contract: ViewContract<Record>): Followed<Record> {
      const view = new Followed(contract);
      view.ready = true;
      followed.push(view as never);
      return view;
    },
  };
  const empty = heap();
  const models = new KnownModels(views as never, null as never);
  for (let index = 0; index < count; index++) models.projection.apply(JSON.parse(JSON.stringify(modelOf(index))) as Model);
  // Puts them into their orders.
  models.list({ limit: 1 }, system('bench'));
  const withModels = heap();
  const flags = new KnownFlags(views as never, models, null as never);
  for (let index = 0; index < count; index++) flags.flags.apply(JSON.parse(JSON.stringify(flagOf(index))) as Flag);
  const { flags: compiled } = flags.all(everybody);
  const withFlags = heap();
  for (const model of models.projection.values()) recordText(model);
  const withTexts = heap();
  if (followed.length !== 3 || compiled.length !== count) throw new Error('Not all of them are held');
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  return `models ${megabytes(withModels - empty)}, flags ${megabytes(withFlags - withModels)}, the JSON of models that were answered ${megabytes(withTexts - withFlags)}`;
}
