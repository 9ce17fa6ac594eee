import { createHash, createHmac, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { GrowthBookClient } from '@growthbook/growthbook';
import * as LaunchDarkly from '@launchdarkly/js-server-sdk-common';
import { FlagdCore } from '@openfeature/flagd-core';
import { type Flag } from '#contracts/flags.js';
import { compileFlag } from '#evaluation/compiled-flag.js';

const require = createRequire(import.meta.url);

export interface User {
  key: string;
  country: string;
}

/** One vendor's evaluator of the same flag: Canada is in, of all others 30 % by key. `contexts` are made beforehand, as a server would keep them. */
export interface Evaluator {
  name: string;
  contexts: (users: User[]) => unknown[];
  isOn: (context: never) => boolean;
}

const flag_key = 'mlb_transformer_v2';
const targeting = { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', { fractional: [['on', 30], ['off', 70]] }] }; // prettier-ignore
const variants = { on: true, off: false };
const flat = (users: User[]): object[] => users.map(({ key, country }) => ({ targetingKey: key, country }));
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function ours(): Evaluator {
  const flag = {
    flag_key,
    state: 'ENABLED',
    variants,
    default_variant: 'off',
    targeting,
    split: null,
    variant_models: {},
  } as unknown as Flag;
  const compiled = compileFlag(flag, {});
  return {
    name: 'ours',
    contexts: flat,
    isOn: (context: Record<string, unknown>) => compiled.evaluate(context, Date.now()).value === true,
  };
}

function oursBySplit(): Evaluator {
  const split = { algorithm: 'fractional', salt: flag_key, weights: { off: 70, on: 30 } };
  const rule = { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] };
  const flag = {
    flag_key,
    state: 'ENABLED',
    variants,
    default_variant: 'off',
    targeting: rule,
    split,
    variant_models: {},
  } as unknown as Flag;
  const compiled = compileFlag(flag, {});
  return {
    name: 'ours, by a split',
    contexts: flat,
    isOn: (context: Record<string, unknown>) => compiled.evaluate(context, Date.now()).value === true,
  };
}

function flagd(): Evaluator {
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(JSON.stringify({ flags: { [flag_key]: { state: 'ENABLED', variants, defaultVariant: 'off', targeting } } }));
  return {
    name: 'flagd-core',
    contexts: flat,
    isOn: (context: Parameters<FlagdCore['resolveBooleanEvaluation']>[2]) => core.resolveBooleanEvaluation(flag_key, false, context).value,
  };
}

/** Its client without the parts that fetch and report. */
function unleash(): Evaluator {
  type Unleash = { isEnabled: (name: string, context: object, fallback: () => boolean) => boolean };
  const { default: Client } = require('unleash-client/lib/client') as {
    default: new (repository: object, strategies: object[]) => Unleash;
  };
  const { defaultStrategies } = require('unleash-client/lib/strategy') as { defaultStrategies: object[] };
  const strategies = [
    { name: 'default', parameters: {}, constraints: [{ contextName: 'country', operator: 'IN', values: ['CA'], inverted: false }] },
    { name: 'flexibleRollout', parameters: { rollout: '30', stickiness: 'userId', groupId: flag_key }, constraints: [] },
  ];
  const feature = { name: flag_key, enabled: true, strategies, variants: [], impressionData: false, type: 'release' };
  const repository = Object.assign(new EventEmitter(), { getToggle: () => feature, getSegment: () => undefined });
  const client = new Client(repository, defaultStrategies);
  return {
    name: 'Unleash',
    contexts: (users) => users.map(({ key, country }) => ({ userId: key, properties: { country } })),
    isOn: (context: object) => client.isEnabled(flag_key, context, () => false),
  };
}

function growthbook(): Evaluator {
  const rules = [
    { condition: { country: 'CA' }, force: true },
    { force: true, coverage: 0.3, hashAttribute: 'id' },
  ];
  const client = new GrowthBookClient({}).initSync({ payload: { features: { [flag_key]: { defaultValue: false, rules } } } });
  return {
    name: 'GrowthBook',
    contexts: (users) => users.map(({ key, country }) => ({ attributes: { id: key, country } })),
    isOn: (context: { attributes: object }) => client.isOn(flag_key, context),
  };
}

interface LaunchDarklyClient {
  waitForInitialization: (options: { timeout: number }) => Promise<unknown>;
  close: () => void;
  _evaluator: { evaluateCb: (flag: object, context: object, done: (result: { detail: { value: unknown } }) => void) => void };
  _featureStore: { get: (kind: { namespace: string }, key: string, found: (flag: object) => void) => void };
}

/** As far as it is used here; its own types refer to a package that it does not bring. */
const { Context, integrations, LDClientImpl } = LaunchDarkly as unknown as {
  Context: { fromLDContext: (context: object) => object };
  integrations: { TestData: new () => { usePreconfiguredFlag: (flag: object) => Promise<unknown>; getFactory: () => object } };
  LDClientImpl: new (key: string, platform: object, options: object, callbacks: object, hooks: object) => LaunchDarklyClient;
};

/** Its evaluator alone: the client's `variation` is asynchronous around it. */
async function launchdarkly(): Promise<Evaluator> {
  const source = new integrations.TestData();
  await source.usePreconfiguredFlag({
    ...{ key: flag_key, version: 1, on: true, variations: [true, false], offVariation: 1, salt: 'salt' },
    rules: [{ id: 'canada', clauses: [{ attribute: 'country', op: 'in', values: ['CA'], contextKind: 'user' }], variation: 0 }],
    fallthrough: { rollout: { contextKind: 'user', variations: [{ variation: 0, weight: 30_000 }, { variation: 1, weight: 70_000 }] } }, // prettier-ignore
  });
  const platform = {
    info: { platformData: () => ({}), sdkData: () => ({}) },
    crypto: { createHash, createHmac, randomUUID },
    requests: {},
  };
  const callbacks = {
    ...{ onError: () => undefined, onFailed: () => undefined, onReady: () => undefined, onUpdate: () => undefined },
    hasEventListeners: () => false,
  };
  const options = { updateProcessor: source.getFactory(), sendEvents: false, logger: silent };
  const client = new LDClientImpl('key', platform, options, callbacks, {});
  await client.waitForInitialization({ timeout: 5 });
  const { _evaluator: evaluator, _featureStore: store } = client;
  const flag = await new Promise<object>((found) => store.get({ namespace: 'features' }, flag_key, found));
  client.close();
  return {
    name: 'LaunchDarkly',
    contexts: (users) => users.map(({ key, country }) => Context.fromLDContext({ kind: 'user', key, country })),
    isOn: (context: object) => {
      let value: unknown;
      evaluator.evaluateCb(flag, context, ({ detail }) => {
        ({ value } = detail);
      });
      return value === true;
    },
  };
}

export const evaluators = async (): Promise<Evaluator[]> => [ours(), oursBySplit(), flagd(), unleash(), growthbook(), await launchdarkly()];
