import { type Flag, type NewFlag } from '#contracts/flags.js';
import { splitFrom } from './flag-rules.js';

/** A flag as it is asked for, with everything that was not named. */
export function newFlag({ split = null, ...input }: NewFlag, { now, created_by }: { now: string; created_by: string }): Flag {
  return {
    description: '',
    state: 'ENABLED',
    targeting: null,
    metadata: {},
    variant_models: {},
    owner: null,
    expires_at: null,
    tags: [],
    ...input,
    split: splitFrom(split, null, input.flag_key),
    rollout_id: null,
    created_at: now,
    updated_at: now,
    created_by,
    revision: 1,
  };
}
