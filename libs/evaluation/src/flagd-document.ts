import { type JsonValue } from '#contracts/fields.js';
import { type Evaluator } from '#contracts/flag-evaluators.js';
import { type Flag } from '#contracts/flags.js';
import { weightsOf } from './compiled-split.js';

interface FlagdFlag {
  state: Flag['state'];
  variants: Flag['variants'];
  defaultVariant: string | null;
  targeting?: JsonValue;
  metadata?: Flag['metadata'];
}

export interface FlagdDocument {
  $schema: string;
  flags: Record<string, FlagdFlag>;
  $evaluators: Record<string, JsonValue>;
}

/** Flags as a flagd flag definition file, which answers every context as we do; but for `rendezvous`, of which flagd has no like. */
export function flagdDocument(
  flags: Flag[],
  evaluators: Evaluator[],
): { document: FlagdDocument; lost: { flag_key: string; reason: string }[] } {
  return {
    document: {
      $schema: 'https://flagd.dev/schema/v0/flags.json',
      flags: Object.fromEntries(flags.map((flag) => [flag.flag_key, flagdFlag(flag)])),
      $evaluators: Object.fromEntries(evaluators.map(({ name, rule }) => [name, rule])),
    },
    lost: flags
      .filter(({ split }) => split?.algorithm === 'rendezvous')
      .map(({ flag_key }) => ({
        flag_key,
        reason: 'flagd has no rendezvous: the shares are those of a fractional, who is in them is not',
      })),
  };
}

function flagdFlag({ state, variants, default_variant, targeting, split, metadata }: Flag): FlagdFlag {
  const rule = withSplit(targeting, split);
  return {
    ...{ state, variants, defaultVariant: default_variant },
    ...(rule !== null && { targeting: rule }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

/** What targeting names, else what the split gives: flagd knows targeting alone. */
function withSplit(targeting: JsonValue, split: Flag['split']): JsonValue {
  if (!split) return targeting;
  const fractional = { fractional: [{ cat: [split.salt, { var: 'targetingKey' }] }, ...weightsOf(split)] };
  return targeting === null ? fractional : orElse(targeting, fractional);
}

/**
 * `targeting` with `other` wherever its answer would be null. An `if` is followed into its branches; anything else is asked twice, once for
 * whether it has an answer.
 */
function orElse(targeting: JsonValue, other: JsonValue): JsonValue {
  if (targeting === null) return other;
  const parts: unknown = typeof targeting === 'object' && !Array.isArray(targeting) ? targeting.if : undefined;
  if (!Array.isArray(parts)) return typeof targeting === 'object' ? { if: [{ '!==': [targeting, null] }, targeting, other] } : targeting;
  const whole = (parts.length % 2 === 0 ? parts.concat(null) : parts) as JsonValue[];
  return { if: whole.map((part, at) => (at % 2 === 1 || at === whole.length - 1 ? orElse(part, other) : part)) };
}
