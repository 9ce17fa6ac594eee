import { FlagdCore, MemoryStorage } from '@openfeature/flagd-core';
import { type Flag } from '#contracts/flags.js';
import { compileFlag } from './compiled-flag.js';
import { flagdDocument } from './flagd-document.js';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const flag: Flag = {
  flag_key: 'plain',
  description: '',
  state: 'ENABLED',
  variants: { on: true, off: false, other: true },
  default_variant: 'off',
  targeting: null,
  split: null,
  metadata: {},
  variant_models: { on: 'mlb_model_1' },
  owner: null,
  expires_at: null,
  tags: [],
  rollout_id: null,
  created_at: '2025-01-15T10:30:00Z',
  updated_at: '2025-01-15T10:30:00Z',
  created_by: 'ml_team',
  revision: 1,
};
const split = { algorithm: 'fractional', salt: 'a salt', weights: { on: 30, off: 60, other: 10 } } as const;
const evaluator = { name: 'is_staff', rule: { in: [{ var: 'plan' }, ['staff']] }, description: '' };
const made = { created_at: flag.created_at, updated_at: flag.updated_at, created_by: '', revision: 1 };

const flags: Flag[] = [
  flag,
  { ...flag, flag_key: 'split', split, metadata: { team: 'ml' } },
  { ...flag, flag_key: 'no-default', default_variant: null },
  { ...flag, flag_key: 'both', split, targeting: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on'] } },
  { ...flag, flag_key: 'nested', split, targeting: { if: [{ $ref: 'is_staff' }, 'other', { if: [{ var: 'beta' }, 'on', null] }] } },
  { ...flag, flag_key: 'fraction', split, targeting: { fractional: [['on', 1], [null, 1]] } }, // prettier-ignore
];

describe('an export', () => {
  const { document, lost } = flagdDocument(flags, [{ ...evaluator, ...made }]);

  it('is what flagd’s schema accepts, and answers as we do, with splits written as targeting', () => {
    new MemoryStorage(silent).setConfigurations(JSON.stringify(document), true);
    const core = new FlagdCore(undefined, silent);
    core.setConfigurations(JSON.stringify(document));
    for (const one of flags) {
      const compiled = compileFlag(one, { is_staff: evaluator.rule });
      for (let at = 0; at < 200; at++) {
        const context = { targetingKey: `user-${at}`, country: at % 3 ? 'US' : 'CA', plan: at % 5 ? 'free' : 'staff', beta: at % 2 === 0 };
        const theirs = core.resolveBooleanEvaluation(one.flag_key, false, context);
        expect([one.flag_key, compiled.evaluate(context, 0).variant ?? undefined]).toEqual([one.flag_key, theirs.variant]);
      }
    }
    expect(lost).toEqual([]);
  });

  it('tells of rendezvous, which flagd has not', () => {
    const drawn: Flag = { ...flag, split: { ...split, algorithm: 'rendezvous' } };
    expect(flagdDocument([drawn], []).lost).toMatchObject([{ flag_key: 'plain', reason: expect.stringContaining('rendezvous') as string }]);
  });
});
