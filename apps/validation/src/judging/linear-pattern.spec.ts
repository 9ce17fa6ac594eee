import { fc } from '#testing/property.js';
import { compilePattern, maxTextLength, PatternError } from './linear-pattern.js';

const atoms = ['a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '\\.', '^', '$', 'é', '\\s', '\\p{L}', '\\u0061', '[\\]a-]', '-'];
const counts = ['', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '{0}'];

/** Patterns of the accepted syntax, nested a few levels deep. */
const patterns = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { maxDepth: 3 },
    fc
      .tuple(fc.constantFrom(...atoms), fc.constantFrom(...counts))
      .map(([atom, count]) => (atom === '^' || atom === '$' ? atom : atom + count)),
    fc
      .tuple(fc.constantFrom('(', '(?:'), tie('pattern'), fc.constantFrom(...counts))
      .map(([open, inner, count]) => `${open}${inner})${count}`),
  ),
  pattern: fc
    .array(fc.array(tie('piece'), { maxLength: 3 }), { minLength: 1, maxLength: 2 })
    .map((choices) => choices.map((pieces) => pieces.join('')).join('|')),
})).pattern;

describe('linear patterns', () => {
  it('match exactly what the built-in expressions match', () => {
    const texts = fc.array(fc.constantFrom('a', 'b', '1', '.', '\n', 'é', '-', '🏈', ' ', ']'), { maxLength: 8 });
    fc.assert(
      fc.property(patterns, texts, (pattern, characters) => {
        fc.pre(pattern.length > 0 && pattern.length <= 200);
        let matches;
        try {
          matches = compilePattern(pattern);
        } catch (error) {
          fc.pre(!(error instanceof PatternError && error.message.includes('too many')));
          throw error;
        }
        const text = characters.join('');
        expect({ pattern, text, matches: matches(text) }).toEqual({ pattern, text, matches: new RegExp(pattern, 'u').test(text) });
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['^mlb_[a-z]+$', 'mlb_hits', true],
    ['^mlb_[a-z]+$', 'mlb_hits2', false],
    ['over|under', 'it is under 7.5', true],
    ['^(over|under) \\d{1,2}\\.\\d$', 'over 12.5', true],
    ['^(over|under) \\d{1,2}\\.\\d$', 'over 123.5', false],
    ['^.$', '🏈', true],
    ['^$', '', true],
    ['^\\/a\\{2\\}$', '/a{2}', true],
  ])('%s on %j is %s', (pattern, text, expected) => {
    expect(compilePattern(pattern)(text)).toBe(expected);
  });

  it.each([
    '(a',
    'a)',
    '*a',
    'a**',
    'a*?',
    'a{2,1}',
    'a{',
    'a}',
    ']',
    '[a',
    '[z-a]',
    '\\1',
    '\\k<a>',
    '(?=a)',
    '(?<!a)',
    '(?<n>a)',
    '\\b',
    '\\p{Nonsense}',
    '^*',
    '\\',
    '',
    'a'.repeat(201),
    'a{301}',
    'a{9999}',
    '((((a{99}){99}){99}){99}){99}',
    '(a{0,50}){0,50}',
    '(((){9999}){9999}){9999}',
  ])('does not accept %j', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(PatternError);
  });

  it.each([
    '^(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '^(a*)*b$',
    '(a+a+)+b',
    '^(\\w+\\s?)*$',
    'a*a*a*a*a*a*a*a*a*a*b',
    '(.*)(.*)(.*)(.*)(.*)(.*)x',
    '(a?){60}a{60}$',
    '(\\w?){95}b',
  ])('answers %j on a long text that nearly matches without hanging', (pattern) => {
    const matches = compilePattern(pattern);
    const started = performance.now();
    expect(matches(`${'a'.repeat(maxTextLength - 1)}!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
