/** JsonLogic's truth: as JavaScript's, but for empty lists and empty objects, which are false. */
export function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** As `==` for texts, numbers, booleans and null; a list or an object equals nothing. */
export function looselyEqual(a: unknown, b: unknown): boolean {
  // eslint-disable-next-line eqeqeq -- JsonLogic's == is JavaScript's
  return a === b ? !isObject(a) : !isObject(a) && !isObject(b) && a == b;
}

/** The value as a number; NaN for what is none: lists, objects and other texts. null is 0, as in JavaScript. */
export const numberOf = (value: unknown): number => (isObject(value) ? NaN : Number(value));

/** Texts by their UTF-16 units, everything else as numbers; what cannot be compared is neither below nor above. */
export function isBelow(a: unknown, b: unknown): boolean {
  return typeof a === 'string' && typeof b === 'string' ? a < b : numberOf(a) < numberOf(b);
}

export function isAtMost(a: unknown, b: unknown): boolean {
  return typeof a === 'string' && typeof b === 'string' ? a <= b : numberOf(a) <= numberOf(b);
}

/** As `cat` writes a value: nothing for null. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  return JSON.stringify(value);
}

/** The value at a path of property names; undefined when there is none. Inherited properties are none. */
export function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
