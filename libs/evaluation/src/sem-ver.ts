/** Major, minor and patch, and the identifiers after the hyphen; what stands after a plus has no rank (semver.org 2.0.0, 10 and 11). */
interface Version {
  numbers: [number, number, number];
  identifiers: string[];
}

const maxLength = 256;
const strict =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;
const partial = /^(\d+)(?:\.(\d+))?$/;

/** As flagd reads a version: a leading v is left out, and `1` and `1.2` are `1.0.0` and `1.2.0`. null: it is none. */
export function parseVersion(value: unknown): Version | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const text = String(value).trim().replace(/^[vV]/, '');
  if (text.length > maxLength) return null;
  const [, major, minor, patch, identifiers] = strict.exec(text) ?? partial.exec(text) ?? [];
  if (major === undefined) return null;
  const numbers: Version['numbers'] = [Number(major), Number(minor ?? 0), Number(patch ?? 0)];
  return numbers.every(Number.isSafeInteger) ? { numbers, identifiers: identifiers?.split('.') ?? [] } : null;
}

/** Below, at or above 0 as `a` comes before, with or after `b`. */
export function compareVersions(a: Version, b: Version): number {
  for (const at of [0, 1, 2] as const) if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] - b.numbers[at];
  return compareIdentifiers(a.identifiers, b.identifiers);
}

/** A version with identifiers comes before the one without; then one by one, numbers before texts, the shorter list first. */
function compareIdentifiers(a: string[], b: string[]): number {
  if (!a.length || !b.length) return b.length - a.length;
  for (const [at, one] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const order = compareIdentifier(one, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

function compareIdentifier(a: string, b: string): number {
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

/** flagd's comparisons: `^` is the same major version, `~` the same major and minor version, whichever is newer. */
export const versionComparisons: Record<string, (a: Version, b: Version) => boolean> = {
  '=': (a, b) => compareVersions(a, b) === 0,
  '!=': (a, b) => compareVersions(a, b) !== 0,
  '<': (a, b) => compareVersions(a, b) < 0,
  '<=': (a, b) => compareVersions(a, b) <= 0,
  '>': (a, b) => compareVersions(a, b) > 0,
  '>=': (a, b) => compareVersions(a, b) >= 0,
  '^': (a, b) => a.numbers[0] === b.numbers[0],
  '~': (a, b) => a.numbers[0] === b.numbers[0] && a.numbers[1] === b.numbers[1],
};
