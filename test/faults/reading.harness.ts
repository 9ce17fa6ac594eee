import { type BalancedClient, type Kind } from './balanced-client.harness.js';
import { type Random, sleep } from './seed.harness.js';

/** Requests of every kind that changes nothing, over things that are there. */
export class Reading {
  constructor(
    private readonly client: BalancedClient,
    private readonly random: Random,
    private readonly known: { model_id: string; flag_key: string },
  ) {}

  loops(isOver: () => boolean): Promise<void>[] {
    const all = readsOf(this.known);
    const read = async (): Promise<void> => {
      while (!isOver()) {
        await sleep(this.random.whole(20, 100));
        const [kind, path, body] = this.random.pick(all);
        await this.client.send(kind, path, body ? { method: 'POST', body } : {});
      }
    };
    return [read(), read(), read()];
  }
}

function readsOf({ model_id, flag_key }: { model_id: string; flag_key: string }): [Kind, path: string, body?: object][] {
  const targeting_key = 'somebody';
  const projected: [path: string, body?: object][] = [
    ['/registry?limit=20'],
    [`/registry/${model_id}`],
    [`/registry/${model_id}/health`],
    [`/registry/${model_id}/metrics`],
    ['/types'],
    ['/flags?limit=20'],
    [`/flags/${flag_key}`],
    [`/flags/${flag_key}/evaluate`, { targeting_key }],
    [`/ofrep/v1/evaluate/flags/${flag_key}`, { context: { targetingKey: targeting_key } }],
    ['/select', { targeting_key, flag_key }],
  ];
  const asked = [
    `/registry/${model_id}/history`,
    `/registry/${model_id}/transitions`,
    `/registry/${model_id}/metrics?window=1h`,
    `/registry/${model_id}/metrics/series?window=1h`,
    `/validation/history/${model_id}`,
    '/rollouts',
    '/alerts',
    '/audit?limit=5',
  ];
  const nameOf = (path: string): string => path.replace(model_id, '{model_id}').replace(flag_key, '{flag_key}');
  return [
    ...projected.map(([path, body]): [Kind, string, object?] => {
      const expected = path === '/select' ? ['NO_ELIGIBLE_MODEL'] : [];
      return [{ kind: `${body ? 'POST' : 'GET'} ${nameOf(path)}`, projected: true, expected }, path, body];
    }),
    ...asked.map((path): [Kind, string] => [{ kind: `GET ${nameOf(path)}` }, path]),
  ];
}
