/**
 * The part of JSONPath (RFC 9535) that names one value: `$`, `.name`, `[0]`, `['any name']` and `["any name"]`, where a backslash takes
 * the next character as it is. No wildcards, filters or negative positions.
 */
export const acceptedPath = "a JSONPath to one value, such as $.outputs[0].data[1] or $['a b'].c";

const steps = /\.([\p{L}_][\p{L}\p{N}_-]*)|\[(0|[1-9]\d{0,8})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/u;
const step = new RegExp(steps.source, 'suy');

/** A whole path, for fields that hold one. */
export const pathPattern = new RegExp(`^\\$(?:${steps.source})*$`, 'su');
const maxPathLength = 500;

export type JsonPath = (string | number)[];

/** The steps of a path; null when the text is no such path. */
export function parsePath(text: string): JsonPath | null {
  if (!text.startsWith('$') || text.length > maxPathLength) return null;
  const path: JsonPath = [];
  let at = 1;
  while (at < text.length) {
    step.lastIndex = at;
    const found = step.exec(text);
    if (!found) return null;
    const [whole, name, position, ...quoted] = found;
    const literal = quoted.find((entry) => entry !== undefined)?.replace(/\\(.)/gsu, '$1');
    path.push(position === undefined ? (name ?? literal ?? '') : Number(position));
    at += whole.length;
  }
  return path;
}

/** The value a path leads to; undefined when there is none. Inherited properties are none. */
export function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    if (Array.isArray(value) !== (typeof key === 'number')) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
