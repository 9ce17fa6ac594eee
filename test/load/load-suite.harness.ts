import { type Model } from '#contracts/registry.js';
import { FaultSuite } from '../faults/fault-suite.harness.js';
import { type Shot, shot } from './open-loop.harness.js';

export interface LoadSuite {
  suite: FaultSuite;
  /** Of the gateway. */
  port: number;
  shots: Shot[];
}

/** One replica of each service, 100 models, and requests of every kind, those that are asked most often most. */
export async function startLoadSuite(environment: Record<string, string> = {}): Promise<LoadSuite> {
  const suite = await FaultSuite.start({ replicas: ['metrics', 'validation'], environment });
  const models = await suite.models(100);
  const [model_id] = models as [string];
  const flag_key = 'asked';
  const flag = { flag_key, variants: { on: true }, default_variant: 'on', variant_models: { on: model_id } };
  await suite.api.data<Model>('/flags', { method: 'POST', body: flag });
  const { host, port } = new URL(suite.rootOf('gateway'));
  const to = (method: string, path: string, body?: object): Shot =>
    shot(`${method} ${path.replace(model_id, '{model_id}')}`, host, method, `/api/models/enterprise${path}`, suite.key, body);
  const events = models.slice(0, 20).map((one) => ({ model_id: one, timing_ms: 12.5 }));
  const shots = [
    to('GET', '/registry?limit=100'),
    to('GET', `/registry/${model_id}`),
    to('POST', `/flags/${flag_key}/evaluate`, { targeting_key: 'somebody' }),
    to('POST', `/registry/${model_id}/inference?timing_ms=12.5`),
    to('GET', `/registry/${model_id}/metrics`),
    to('GET', '/registry?limit=50&sport=MLB'),
    to('GET', `/registry/${model_id}/history`),
    to('POST', '/inference/batch', { events }),
  ];
  return { suite, port: Number(port), shots };
}
