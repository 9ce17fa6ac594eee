import { type RestClient, RestError } from '#client/rest-client.js';
import { type Model, type ModelStatus } from '#contracts/registry.js';
import { type Serving } from '#contracts/serving.js';
import { type DemoModel, flags, models, stepsTo, testCases } from './catalogue.js';

/** Brings the catalogue about; what is there already is used again. Resolves to the models in the catalogue's order. */
export async function ensureCatalogue(rest: RestClient, serverUrl: string): Promise<Model[]> {
  const registered: Model[] = [];
  for (const model of models) registered.push(await ensureModel(rest, model, serverUrl));
  for (const testCase of testCases) await rest.post('/validation/cases', { body: testCase }).catch(unless('TEST_CASE_EXISTS'));
  for (const [index, model] of models.entries()) registered[index] = await promote(rest, registered[index]!, model);
  for (const { version, variant, flag } of flags) {
    const model = registered.find((known) => known.name === version.name && known.version === version.version);
    await rest
      .post('/flags', { body: { ...flag, variant_models: model ? { [variant]: model.model_id } : {} } })
      .catch(unless('FLAG_EXISTS'));
  }
  return registered;
}

/** What is there already is no failure: the error that says so, or the error is thrown on. */
const unless =
  (code: string) =>
  (error: unknown): RestError => {
    if (error instanceof RestError && error.code === code) return error;
    throw error;
  };

async function ensureModel(rest: RestClient, { status: _, served, ...model }: DemoModel, serverUrl: string): Promise<Model> {
  const known: Model = await rest.post('/registry', { body: model }).catch((error: unknown) => {
    const { details } = unless('MODEL_EXISTS')(error);
    return rest.get('/registry/{model_id}', { params: { path: { model_id: String(details?.model_id) } } });
  });
  if (!served || known.status === 'retired') return known;
  const serving: Serving =
    served.protocol === 'oip_v2'
      ? { protocol: 'oip_v2', url: serverUrl, model_name: served.as }
      : { protocol: 'http_json', url: `${serverUrl}/predict/${served.as}` };
  if (known.serving?.url === serving.url && known.serving?.protocol === serving.protocol) return known;
  return rest.patch('/registry/{model_id}', { params: { path: { model_id: known.model_id } }, body: { serving } });
}

/** What is served is validated first, as the gate asks; what is not cannot be, and says so. */
async function promote(rest: RestClient, model: Model, { status, served }: DemoModel): Promise<Model> {
  const { model_id } = model;
  const steps = stepsLeft(model.status, status);
  if (steps.length && served) await rest.post('/validation/run', { body: { model_id } });
  const how = served ? { reason: 'demo: validated' } : { reason: 'demo: nothing serves it, so it cannot be validated', override: true };
  let moved = model;
  for (const to of steps) moved = await rest.post('/registry/{model_id}/status', { params: { path: { model_id } }, body: { to, ...how } });
  return moved;
}

/** A demo that was interrupted is finished; what someone has released, replaced or retired since stays as it is. */
function stepsLeft(from: ModelStatus, to: ModelStatus): ModelStatus[] {
  if (from !== 'development' && from !== 'canary') return [];
  const way: ModelStatus[] = ['development', ...stepsTo[to]];
  return way.includes(from) ? way.slice(way.indexOf(from) + 1) : [];
}
