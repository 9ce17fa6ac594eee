import { type JsonValue } from '#contracts/fields.js';
import { maxMetadataBytes } from '#contracts/flags.js';
import { type Loss } from '#contracts/flag-import.js';
import { type Candidate, type Imported, isObject, isWithin, type Json, note } from './candidate.js';

const known = new Set(['state', 'variants', 'defaultVariant', 'targeting', 'metadata', 'key']);

/**
 * A flagd flag definition file: flags as an object or as a list with keys, and `$evaluators`. The file's metadata becomes each flag's own, as
 * flagd has it. Evaluators that refer to others are written out, since ours refer to none.
 */
export function fromFlagd(document: Json): Imported {
  const shared = new Shared(isObject(document.$evaluators) ? document.$evaluators : {});
  const flags = Array.isArray(document.flags)
    ? document.flags.filter(isObject).map((flag): [string, unknown] => [typeof flag.key === 'string' ? flag.key : '', flag])
    : Object.entries(isObject(document.flags) ? document.flags : {});
  return {
    candidates: flags.map(([flag_key, flag]) => candidate(flag_key, isObject(flag) ? flag : {}, document, shared)),
    evaluators: shared.names.map((name) => ({ name, rule: shared.rule(name) })),
  };
}

function candidate(flag_key: string, flag: Json, { metadata }: Json, shared: Shared): Candidate {
  const lost: Loss[] = Object.keys(flag)
    .filter((name) => !known.has(name))
    .map((field) => ({ field, reason: 'flagd has no such field' }));
  const { targeting } = flag;
  const common = isObject(metadata) && isWithin(metadata, maxMetadataBytes) ? metadata : {};
  if (metadata !== undefined && metadata !== common)
    note(lost, 'metadata', `the file’s own is no object of at most ${maxMetadataBytes} bytes`);
  const wholly = isObject(targeting) && typeof targeting.$ref === 'string';
  return {
    flag_key,
    flag: {
      state: flag.state as JsonValue,
      variants: (flag.variants ?? { true: true, false: false }) as JsonValue,
      default_variant: (flag.defaultVariant === '' ? null : (flag.defaultVariant ?? null)) as JsonValue,
      targeting: (wholly ? shared.writtenOut(targeting) : (targeting ?? null)) as JsonValue,
      metadata: { ...common, ...(isObject(flag.metadata) ? flag.metadata : {}) },
    },
    lost,
  };
}

/** Evaluators with those that they refer to in their place, each made once. */
class Shared {
  readonly names: string[];
  private readonly made = new Map<string, JsonValue>();
  private readonly making = new Set<string>();

  constructor(private readonly rules: Json) {
    this.names = Object.keys(rules);
  }

  rule(name: string): JsonValue {
    const known = this.made.get(name);
    if (known !== undefined) return known;
    this.making.add(name);
    const rule = this.writtenOut(this.rules[name]);
    this.making.delete(name);
    this.made.set(name, rule);
    return rule;
  }

  /** A reference to what is being made stays, and is refused later: it would be endless. */
  writtenOut(rule: unknown): JsonValue {
    if (Array.isArray(rule)) return rule.map((part) => this.writtenOut(part));
    if (!isObject(rule)) return rule as JsonValue;
    const { $ref: name } = rule;
    if (typeof name === 'string' && Object.hasOwn(this.rules, name) && !this.making.has(name)) return this.rule(name);
    return Object.fromEntries(Object.entries(rule).map(([key, part]) => [key, this.writtenOut(part)]));
  }
}
