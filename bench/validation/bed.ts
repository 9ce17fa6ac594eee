import { freePort } from '#embedded/ports.js';
import { type Model } from '#contracts/registry.js';
import { type SuiteProcesses, untilOk } from '../suite.processes.js';

const addedAtOnce = 32;

/** The running suite and one model server. */
export interface Bed {
  suite: SuiteProcesses;
  rounds: number;
  /** The largest size that is measured. */
  most: number;
  /** Where the model is asked. */
  model_url: string;
  /** How often the model was asked so far. */
  asked(): Promise<number>;
  /** The data of an answer; throws for anything but success. */
  ask<Data>(path: string, body?: object): Promise<Data>;
  register(name: string, version: string): Promise<Model>;
  /** Does something for each of so many numbers, 32 at a time. */
  each(count: number, work: (index: number) => Promise<unknown>): Promise<void>;
}

export async function validationBed(suite: SuiteProcesses, rounds: number, most: number): Promise<Bed> {
  const port = await freePort();
  const model_url = `http://127.0.0.1:${port}/`;
  suite.spawn('dist/bench/predict.server.js', [String(port)]);
  await untilOk(model_url);
  const ask = async <Data>(path: string, body?: object): Promise<Data> => {
    const headers = { authorization: `Bearer ${suite.key}`, 'content-type': 'application/json' };
    const response = await fetch(suite.url + path, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: Data }).data;
  };
  return {
    suite,
    rounds,
    most,
    model_url,
    asked: async () => ((await (await fetch(model_url)).json()) as { asked: number }).asked,
    ask,
    register: (name, version) =>
      ask('/registry', { name, version, model_type: 'ensemble', sport: 'MLB', serving: { protocol: 'http_json', url: model_url } }),
    async each(count, work) {
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < count) await work(next++);
      };
      await Promise.all(Array.from({ length: addedAtOnce }, worker));
    },
  };
}
