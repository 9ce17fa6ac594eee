import { type Model, type ModelStatus } from '#contracts/registry.js';
import { type Serving } from '#contracts/serving.js';
import { type DemoModel, flags, models, stepsTo, testCases } from './catalogue.js';
import { type RestClient } from './rest-client.js';

/** Brings the catalogue about; what is there already is used again. Resolves to the models in the catalogue's order. */
export async function ensureCatalogue(rest: RestClient, serverUrl: string): Promise<Model[]> {
  const registered: Model[] = [];
  for (const model of models) registered.push(await ensureModel(rest, model, serverUrl));
  for (const { version, flag } of flags) {
    const model = registered.find((known) => known.name === version.name && known.version === version.version);
    await rest.ensure('/flags', { ...flag, model_id: model?.model_id ?? null }, 'FLAG_EXISTS');
  }
  for (const testCase of testCases) await rest.ensure('/validation/cases', testCase, 'TEST_CASE_EXISTS');
  return registered;
}

async function ensureModel(rest: RestClient, { status, served, ...model }: DemoModel, serverUrl: string): Promise<Model> {
  let known = await rest.ensure<Model>('/registry', model, 'MODEL_EXISTS', ({ model_id }) => rest.get(`/registry/${String(model_id)}`));
  for (const to of stepsLeft(known.status, status)) {
    known = await rest.send<Model>('POST', `/registry/${known.model_id}/status`, { to, reason: 'demo' });
  }
  if (!served || known.status === 'retired') return known;
  const serving: Serving =
    served.protocol === 'oip_v2'
      ? { protocol: 'oip_v2', url: serverUrl, model_name: served.as }
      : { protocol: 'http_json', url: `${serverUrl}/predict/${served.as}` };
  if (known.serving?.url === serving.url && known.serving?.protocol === serving.protocol) return known;
  return rest.send<Model>('PATCH', `/registry/${known.model_id}`, { serving });
}

/** A demo that was interrupted is finished; what someone has released, replaced or retired since stays as it is. */
function stepsLeft(from: ModelStatus, to: ModelStatus): ModelStatus[] {
  if (from !== 'development' && from !== 'canary') return [];
  const way: ModelStatus[] = ['development', ...stepsTo[to]];
  return way.includes(from) ? way.slice(way.indexOf(from) + 1) : [];
}
