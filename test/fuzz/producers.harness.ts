import { type Operation } from './description.harness.js';
import { inDays, type Places } from './dictionary.harness.js';
import { admin } from './principals.harness.js';
import { type Step } from './steps.harness.js';
import { Fresh, Known, type Tree } from './tree.harness.js';

/** What a request for something needs beside its operation. */
interface Recipe {
  operation: string;
  body?: Tree;
  path?: Record<string, Tree>;
  query?: [string, Tree][];
  type?: string;
}

const reason = 'for what comes next in this sequence';

/** How something of each kind is made, in as many requests as that takes. */
function recipes({ modelServer }: Places): Record<string, Recipe[]> {
  const model = (sport: string): Recipe => ({
    operation: 'registerModel',
    body: {
      ...{ name: new Fresh('model'), version: '1.0.0', model_type: 'ensemble', sport },
      serving: { protocol: 'http_json', url: modelServer },
    },
  });
  const newest = { model_id: new Known('model_id') };
  const status = (to: string): Recipe => ({
    operation: 'changeStatus',
    path: newest,
    body: { to, reason, override: true },
  });
  const variants = { on: true, off: false };
  return {
    model_id: [model('NBA')],
    flag_key: [
      {
        operation: 'createFlag',
        body: { flag_key: new Fresh('flag'), variants, default_variant: 'off', split: { weights: { on: 1, off: 1 } } },
      },
    ],
    evaluator: [{ operation: 'putEvaluator', path: { name: new Fresh('rule') }, body: { rule: { '==': [1, 1] } } }],
    test_case_id: [
      {
        operation: 'createTestCase',
        body: {
          test_case_id: new Fresh('case'),
          applies_to: newest,
          input: { x: 1 },
          expectations: [{ op: 'exists', value: true }],
        },
      },
    ],
    data_set_id: [{ operation: 'uploadDataSet', body: new Fresh('x,y\n1,2\n3,'), type: 'text/csv', query: [['name', 'Rows']] }],
    run_id: [{ operation: 'run', body: { ...newest, test_case_ids: [new Known('test_case_id')], wait: false } }],
    rollout_id: [
      ...[model('NBA'), status('canary'), status('stable'), model('NBA')],
      {
        operation: 'createFlag',
        body: {
          ...{ flag_key: new Fresh('flag'), variants, default_variant: 'off' },
          variant_models: { on: new Known('model_id'), off: new Known('model_id', 1) },
        },
      },
      {
        operation: 'createRollout',
        body: {
          flag_key: new Known('flag_key'),
          candidate_model_id: new Known('model_id'),
          control_model_id: new Known('model_id', 1),
          ...{ reason, override: true, steps: [{ percentage: 100, min_duration_seconds: 3_600, min_samples: 1 }] },
        },
      },
    ],
    rule_id: [
      {
        operation: 'createAlertRule',
        body: {
          name: 'Failures',
          metric: 'error_rate',
          severity: 'info',
          comparison: { kind: 'fixed', op: 'above', value: 10 },
          enabled: false,
        },
      },
    ],
    silence_id: [{ operation: 'createSilence', body: { matchers: newest, until: inDays(1), reason } }],
    webhook_id: [{ operation: 'createWebhook', body: { name: 'Hook', url: `${modelServer}/hook`, format: 'json', enabled: false } }],
    key_id: [{ operation: 'createKey', body: { name: 'of a test', role: 'viewer' } }],
  };
}

export type Producers = ReadonlyMap<string, Step[]>;

/** The requests that make something, by its kind. */
export function producersOf(operations: readonly Operation[], places: Places): Producers {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const step = ({ operation, body, path = {}, query = [], type = 'application/json' }: Recipe): Step => {
    const found = byId.get(operation);
    if (!found) throw new Error(`The description has no ${operation}`);
    return { operation: found, principal: admin, path, query, rawQuery: '', headers: [], body, type, times: 1 };
  };
  return new Map(Object.entries(recipes(places)).map(([kind, all]) => [kind, all.map(step)]));
}

/** A request of the admin's own about one thing. */
export const about = (operation: Operation, parameter: string, id: string, body?: Tree): Step => ({
  ...{ operation, principal: admin, path: { [parameter]: id }, query: [], rawQuery: '', headers: [] },
  ...{ body, type: body === undefined ? undefined : 'application/json', times: 1 },
});
