import { readFile } from 'node:fs/promises';
import { RestClient } from '#client/rest-client.js';
import { type Model } from '#contracts/registry.js';
import { type Standalone } from '../standalone.process.js';
import { ensureCatalogue } from './catalogue.process.js';
import { flags, models, testCases } from './catalogue.js';
import { replay } from './replay.process.js';
import { countsLine, metricsTable, percentilesLine, type Replayed, type Validated, validationTable } from './report.js';
import { parseTrace } from './trace.js';

export interface DemoOptions extends Pick<Standalone, 'url' | 'key' | 'nats_url'> {
  /** How much faster than recorded the trace is replayed. */
  speed: number;
  print: (line: string) => void;
}

type ModelServerModule = typeof import('../../../../examples/model-server/server.mjs');

const countedWithinMs = 30_000;
const pollMs = 50;
/** From dist/apps/standalone/demo/ and from apps/standalone/src/demo/ alike. */
const examples = new URL('../../../../examples/', import.meta.url);

/**
 * The main job on real input, over the REST surface and NATS alone: a set of models, a replayed trace, a validation, the resulting metrics.
 * What an earlier demo left is used again, and its inferences stay counted. Resolves to what stops the model server, which goes on serving
 * until then.
 */
export async function runDemo({ url, key, nats_url, speed, print }: DemoOptions): Promise<() => Promise<void>> {
  const rest = new RestClient({ url: new URL(url).origin, key });
  const { startModelServer } = (await import(new URL('model-server/server.mjs', examples).href)) as ModelServerModule;
  const server = await startModelServer();
  try {
    print(`Demo: an example model server is at ${server.url}`);
    const registered = await ensureCatalogue(rest, server.url);
    print(`Demo: ${registered.length} models, ${flags.length} flags and ${testCases.length} test cases are there`);

    const live = registered.filter(({ status }) => status === 'stable' || status === 'canary');
    if (live.length === 0) print('Demo: none of the models is stable or canary any more, so nothing is replayed');
    else await replayTrace({ rest, live, nats_url, speed, print });

    const served = registered.filter(({ status }, index) => models[index]?.served && status !== 'retired');
    if (served.length) print(`\n${validationTable(await validate(rest, served))}`);

    const looks = ['/registry', `/registry/${registered[2]?.model_id}/metrics`, `/validation/history/${registered[2]?.model_id}`];
    print(`\nLook around:\n${looks.map((path) => `  curl -H 'Authorization: Bearer ${key}' ${url}${path}`).join('\n')}\n`);
  } catch (error) {
    await server.close();
    throw error;
  }
  return () => server.close();
}

interface TraceReplay extends Pick<DemoOptions, 'nats_url' | 'speed' | 'print'> {
  rest: RestClient;
  live: Model[];
}

async function replayTrace({ rest, live, nats_url, speed, print }: TraceReplay): Promise<void> {
  const ids = live.map(({ model_id }) => model_id);
  const totals = await Promise.all(ids.map((model_id) => totalOf(rest, model_id)));
  if (totals.some((total) => total > 0)) print('Demo: inferences are counted from before; this replay is added to them');
  const requests = parseTrace(await readFile(new URL('trace/azure-llm-inference-conv-2023.csv', examples), 'utf8'));
  print(
    `Demo: replaying ${requests.length} real requests at ${speed} × their speed over ${ids.length} models (timings derived, not measured)`,
  );
  const published = await replay(nats_url, requests, ids, speed, print);

  const deadline = Date.now() + countedWithinMs;
  const replayed = await Promise.all(
    ids.map(async (model_id, index): Promise<Replayed> => {
      const [before, timings] = [totals[index] ?? 0, published.get(model_id) ?? []];
      await untilCounted(rest, model_id, before + timings.length, deadline);
      return { before, published: timings, after: await rest.get('/registry/{model_id}/health', { params: { path: { model_id } } }) };
    }),
  );
  print(`\n${metricsTable(replayed)}\n  ${countsLine(replayed)}\n  ${percentilesLine(replayed)}`);
}

const totalOf = async (rest: RestClient, model_id: string): Promise<number> =>
  (await rest.get('/registry/{model_id}/metrics', { params: { path: { model_id } } })).total_inferences;

/** Gives up at the deadline without a word: the counts are reported as they are then. */
async function untilCounted(rest: RestClient, model_id: string, wanted: number, deadline: number): Promise<void> {
  while ((await totalOf(rest, model_id)) < wanted && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, pollMs));
}

async function validate(rest: RestClient, served: Model[]): Promise<Validated[]> {
  const validated: Validated[] = [];
  for (const model of served) {
    const run = await rest.post('/validation/run', { body: { model_id: model.model_id } });
    validated.push({ model, protocol: model.serving?.protocol ?? '', run });
  }
  return validated;
}
