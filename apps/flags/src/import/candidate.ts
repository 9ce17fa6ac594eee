import { type Loss, maxLosses } from '#contracts/flag-import.js';
import { type JsonValue } from '#contracts/fields.js';

/** A flag as a document has it: what becomes of it, and what is lost on the way. `flag` null: it cannot be carried over at all. */
export interface Candidate {
  flag_key: string;
  flag: Record<string, JsonValue> | null;
  lost: Loss[];
}

/** What a document holds. */
export interface Imported {
  candidates: Candidate[];
  evaluators: { name: string; rule: JsonValue }[];
}

export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const objectsOf = (value: unknown): Json[] => listOf(value).filter(isObject);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Of the context's attributes, the one that the targeting key stands for in this API. */
const keyed = (name: string): JsonValue => ({ var: [name, { var: 'targetingKey' }] });
export const attribute = (name: string, identity: string): JsonValue => (name === identity ? keyed(name) : { var: name });

/** Rules of which all, or any, must hold; a single one stands for itself. */
export const all = (rules: JsonValue[]): JsonValue => (rules.length === 1 ? rules[0]! : rules.length ? { and: rules } : true);
export const any = (rules: JsonValue[]): JsonValue => (rules.length === 1 ? rules[0]! : rules.length ? { or: rules } : false);
export const not = (rule: JsonValue): JsonValue => ({ '!': [rule] });

/**
 * Whether a rule is written in so many characters at the most. Parts that others refer to are shared, not copied, so that a small document may
 * be a huge rule: the walk ends where it is too large.
 */
export function isWithin(rule: unknown, max: number): boolean {
  let left = max;
  const walk = (part: unknown): boolean => {
    left -= typeof part === 'string' ? part.length + 2 : 2;
    if (left < 0) return false;
    if (Array.isArray(part)) return part.every(walk);
    return !isObject(part) || Object.entries(part).every(([name, value]) => walk(name) && walk(value));
  };
  return walk(rule);
}

/** Notes what is lost, each thing once and not more than a report shows. */
export function note(lost: Loss[], field: string, reason: string): void {
  if (lost.length < maxLosses && !lost.some((loss) => loss.field === field && loss.reason === reason)) lost.push({ field, reason });
}
