import { type JsonValue } from '#contracts/fields.js';
import { type Loss } from '#contracts/flag-import.js';
import { type Candidate, type Imported, isObject, type Json } from './candidate.js';

const known = new Set(['state', 'variants', 'defaultVariant', 'targeting', 'metadata', 'key']);

/**
 * A flagd flag definition file: flags as an object or as a list with keys, and `$evaluators`. The file's metadata becomes each flag's own, as
 * flagd has it. Evaluators that refer to others are written out, since ours refer to none.
 */
export function fromFlagd(document: Json): Imported {
  const shared = isObject(document.$evaluators) ? document.$evaluators : {};
  const flags = Array.isArray(document.flags)
    ? document.flags.filter(isObject).map((flag): [string, unknown] => [typeof flag.key === 'string' ? flag.key : '', flag])
    : Object.entries(isObject(document.flags) ? document.flags : {});
  return {
    candidates: flags.map(([flag_key, flag]) => candidate(flag_key, isObject(flag) ? flag : {}, document, shared)),
    evaluators: Object.entries(shared).map(([name, rule]) => ({ name, rule: writtenOut(rule, shared, [name]) })),
  };
}

function candidate(flag_key: string, flag: Json, { metadata }: Json, shared: Json): Candidate {
  const lost: Loss[] = Object.keys(flag)
    .filter((name) => !known.has(name))
    .map((field) => ({ field, reason: 'flagd has no such field' }));
  const { targeting } = flag;
  const wholly = isObject(targeting) && typeof targeting.$ref === 'string';
  return {
    flag_key,
    flag: {
      state: flag.state as JsonValue,
      variants: (flag.variants ?? { true: true, false: false }) as JsonValue,
      default_variant: (flag.defaultVariant === '' ? null : (flag.defaultVariant ?? null)) as JsonValue,
      targeting: (wholly ? writtenOut(targeting, shared, []) : (targeting ?? null)) as JsonValue,
      metadata: { ...(isObject(metadata) ? metadata : {}), ...(isObject(flag.metadata) ? flag.metadata : {}) },
    },
    lost,
  };
}

/** A rule with the rules that it refers to in their place; a reference to what is being written out already stays, and is refused. */
function writtenOut(rule: unknown, shared: Json, within: string[]): JsonValue {
  if (Array.isArray(rule)) return rule.map((part) => writtenOut(part, shared, within));
  if (!isObject(rule)) return rule as JsonValue;
  const { $ref: name } = rule;
  if (typeof name === 'string' && Object.hasOwn(shared, name) && !within.includes(name) && within.length < maxNesting)
    return writtenOut(shared[name], shared, [...within, name]);
  return Object.fromEntries(Object.entries(rule).map(([key, part]) => [key, writtenOut(part, shared, within)]));
}

/** Evaluators within evaluators: more would grow beyond all bounds. */
const maxNesting = 4;
