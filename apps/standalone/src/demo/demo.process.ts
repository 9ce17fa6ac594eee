import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Metrics, type ModelHealth } from '#contracts/metrics.js';
import { type Model, type Serving } from '#contracts/registry.js';
import { type RunResult } from '#contracts/validation.js';
import { type Standalone } from '../standalone.process.js';
import { type DemoModel, flags, models, stepsTo, testCases } from './catalogue.js';
import { replay } from './replay.process.js';
import { RestClient } from './rest-client.js';
import { nearestRank, parseTrace } from './trace.js';

export interface DemoOptions extends Pick<Standalone, 'url' | 'key' | 'nats_url'> {
  /** How much faster than recorded the trace is replayed. */
  speed: number;
  print: (line: string) => void;
}

interface ModelServer {
  url: string;
  close(): Promise<void>;
}

const countedWithinMs = 30_000;
/** From dist/apps/standalone/demo/ and from apps/standalone/src/demo/ alike. */
const examples = new URL('../../../../examples/', import.meta.url);

/**
 * The main job on real input, over the REST surface and NATS alone: a set of models, a replayed trace, a validation, the resulting metrics.
 * What an earlier demo left is used again. Resolves to what stops the model server, which goes on serving until then.
 */
export async function runDemo({ url, key, nats_url, speed, print }: DemoOptions): Promise<() => Promise<void>> {
  const rest = new RestClient(url, key);
  const { startModelServer } = (await import(new URL('model-server/server.mjs', examples).href)) as {
    startModelServer: (options: { port: number }) => Promise<ModelServer>;
  };
  const server = await startModelServer({ port: 0 });
  try {
    print(`Demo: an example model server is at ${server.url}`);
    const registered = await registerAll(rest, server.url);
    print(`Demo: ${registered.length} models, ${flags.length} flags and ${testCases.length} test cases are there`);

    const live = registered.filter(({ status }) => status === 'stable' || status === 'canary');
    const before = await metricsOf(rest, live);
    const requests = parseTrace(await readFile(fileURLToPath(new URL('trace/azure-llm-inference-conv-2023.csv', examples)), 'utf8'));
    print(
      `Demo: replaying ${requests.length} real requests at ${speed} × their speed over ${live.length} models (times derived, not measured)`,
    );
    const published = await replay(
      nats_url,
      requests,
      live.map(({ model_id }) => model_id),
      speed,
      print,
    );
    await untilCounted(rest, before, published);

    const served = registered.filter(({ serving, status }) => serving && status === 'stable');
    for (const model of served) {
      const run = await rest.send<RunResult>('POST', '/validation/run', { model_id: model.model_id });
      print(`Demo: validation of ${model.name} ${model.version}: ${run.status}, ${run.passed_tests} of ${run.total_tests} cases passed`);
    }
    print(await table(rest, live));
    print(comparison(before, published, await metricsOf(rest, live)));
    print(
      `Look around:\n  ${['/registry', `/registry/${live[0]?.model_id}/metrics`, `/validation/history/${served[0]?.model_id}`].map((path) => `curl -H 'Authorization: Bearer ${key}' ${url}${path}`).join('\n  ')}\n`,
    );
  } catch (error) {
    await server.close();
    throw error;
  }
  return () => server.close();
}

async function registerAll(rest: RestClient, serverUrl: string): Promise<Model[]> {
  const registered: Model[] = [];
  for (const model of models) registered.push(await register(rest, model, serverUrl));
  for (const { version, flag } of flags) {
    const model = registered.find(({ name, version: number }) => name === version.name && number === version.version);
    await rest.ensure('/flags', { ...flag, model_id: model?.model_id ?? null }, 'FLAG_EXISTS');
  }
  for (const testCase of testCases) await rest.ensure('/validation/cases', testCase, 'TEST_CASE_EXISTS');
  return registered;
}

async function register(rest: RestClient, { status, served, ...model }: DemoModel, serverUrl: string): Promise<Model> {
  let known = await rest.ensure<Model>('/registry', model, 'MODEL_EXISTS', ({ model_id }) => rest.get(`/registry/${String(model_id)}`));
  if (!known) throw new Error('The registry answered nothing');
  // A model that someone has moved since the last demo stays where it is.
  if (known.status === 'development') {
    for (const to of stepsTo[status]) known = await rest.send<Model>('POST', `/registry/${known.model_id}/status`, { to, reason: 'demo' });
  }
  if (!served) return known;
  const serving: Serving =
    served.protocol === 'oip_v2'
      ? { protocol: 'oip_v2', url: serverUrl, model_name: served.as }
      : { protocol: 'http_json', url: `${serverUrl}/predict/${served.as}` };
  return rest.send<Model>('PATCH', `/registry/${known.model_id}`, { serving });
}

async function metricsOf(rest: RestClient, live: Model[]): Promise<Map<string, Metrics>> {
  const all = await Promise.all(live.map(({ model_id }) => rest.get<Metrics>(`/registry/${model_id}/metrics`)));
  return new Map(all.map((metrics) => [metrics.model_id, metrics]));
}

/** Resolves when every model has grown by just what was published to it; says so when it has not, or by more. */
async function untilCounted(rest: RestClient, before: Map<string, Metrics>, published: Map<string, number[]>): Promise<void> {
  const deadline = Date.now() + countedWithinMs;
  for (const [model_id, timings] of published) {
    const wanted = (before.get(model_id)?.total_inferences ?? 0) + timings.length;
    for (;;) {
      const { total_inferences } = await rest.get<Metrics>(`/registry/${model_id}/metrics`);
      if (total_inferences === wanted) break;
      if (total_inferences > wanted || Date.now() > deadline)
        throw new Error(`${model_id} has ${total_inferences} inferences, not ${wanted}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function table(rest: RestClient, live: Model[]): Promise<string> {
  const rows = await Promise.all(
    live.map(async ({ model_id, name, version, status }) => {
      const health = await rest.get<ModelHealth>(`/registry/${model_id}/health`);
      const { p50, p95, p99 } = health.percentiles;
      return [
        `${name} ${version}`,
        status,
        String(health.total_inferences),
        `${health.success_rate} %`,
        ...[p50, p95, p99].map((ms) => ms.toFixed(1)),
        health.health_status,
      ];
    }),
  );
  const all = [['model', 'status', 'inferences', 'success', 'p50 ms', 'p95 ms', 'p99 ms', 'health'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return `\n${all.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`).join('\n')}\n`;
}

/** How near the served percentiles are to the exact ones; only where the replay is all that a model has. */
function comparison(before: Map<string, Metrics>, published: Map<string, number[]>, after: Map<string, Metrics>): string {
  const errors = [...published].flatMap(([model_id, timings]) => {
    if (before.get(model_id)?.total_inferences) return [];
    const { percentiles } = after.get(model_id)!;
    return ([0.5, 0.95, 0.99] as const).map((q) => {
      const exact = nearestRank(timings, q);
      const served = { 0.5: percentiles.p50, 0.95: percentiles.p95, 0.99: percentiles.p99 }[q];
      return Math.abs(served - exact) / exact;
    });
  });
  const counts = 'Counts: exact, every request once.';
  return errors.length
    ? `${counts} Percentiles: at most ${(Math.max(...errors) * 100).toFixed(2)} % from the exact ones.\n`
    : `${counts}\n`;
}
