/**
 * The order of PostgreSQL's "C" collation, by the bytes of UTF-8, which is that of code points: negative where `a` comes first. JavaScript's own
 * order, by units of UTF-16, has what needs two of them before U+E000 to U+FFFF.
 */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Surrogates after all other units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

const ascii = /^\p{ASCII}*$/u;

/** Lower case as PostgreSQL's "pg_c_utf8" has it: one code point for one, whatever is around it. */
export function foldedCase(text: string): string {
  if (ascii.test(text)) return text.toLowerCase();
  return Array.from(text, (character) => (character === 'İ' ? 'i' : character.toLowerCase())).join('');
}
