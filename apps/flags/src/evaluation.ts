import { type Evaluation, type EvaluationReason, type Flag } from '#contracts/flags.js';
import { murmur3 } from './murmur3.js';

/** Weights are whole, so that a share of 0.00005 % is the smallest; the product with a 32-bit hash stays exact in a double. */
const totalWeight = 2_000_000;

/**
 * Whether a targeting key is in a flag's first `percentage` percent (0..100). The bucket is flagd's `fractional`: murmur3 of flag key and
 * targeting key, times the total weight, over 2^32. The same key has the same bucket at every percentage, so whoever is in stays in as it
 * grows, and flags with different keys choose independently.
 */
export function isInRollout(flag_key: string, targeting_key: string, percentage: number): boolean {
  const bucket = Math.floor((murmur3(flag_key + targeting_key) * totalWeight) / 2 ** 32);
  return bucket < Math.round((percentage / 100) * totalWeight);
}

/** What a flag says for one targeting key. STATIC: nothing depends on the key; SPLIT: the rollout decided; DISABLED: the flag is off. */
export function evaluate(flag: Flag, targeting_key: string): Evaluation {
  if (flag.state === 'DISABLED') return answer(flag, flag.default_variant, 'DISABLED');
  const { rollout_variant, rollout_percentage } = flag;
  if (rollout_variant === null) return answer(flag, flag.default_variant, 'STATIC');
  const variant = isInRollout(flag.flag_key, targeting_key, rollout_percentage) ? rollout_variant : flag.default_variant;
  return answer(flag, variant, 'SPLIT');
}

const answer = ({ flag_key, variants, model_id }: Flag, variant: string, reason: EvaluationReason): Evaluation => ({
  flag_key,
  value: variants[variant] ?? null,
  variant,
  reason,
  model_id,
});
