import { compareVersions, parseVersion, versionComparisons } from './sem-ver.js';

const parsed = (text: string) => parseVersion(text)!;

describe('a version', () => {
  // The order that semver.org gives as its example.
  it('is ordered as Semantic Versioning 2.0.0 says', () => {
    const order = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0']; // prettier-ignore
    for (const [at, one] of order.entries())
      for (const [other, second] of order.entries())
        expect(Math.sign(compareVersions(parsed(one), parsed(second)))).toBe(Math.sign(at - other));
  });

  it('is read as flagd reads it: with a leading v, in part, as a number; without what stands after a plus', () => {
    for (const [text, same] of [
      ['v1.2.3', '1.2.3'],
      ['V1', '1.0.0'],
      [1, '1.0.0'],
      [1.2, '1.2.0'],
      [' 1.2 ', '1.2.0'],
      ['1.0.0+build', '1.0.0+other'],
    ] as const)
      // prettier-ignore
      expect(compareVersions(parseVersion(text)!, parsed(same))).toBe(0);
  });

  it.each(['', 'x', '2.0.0.0', '1.2.3.4', '01.2.3', '1.2.3-', '1..2', null, undefined, {}, [1], '9007199254740993.0.0', '1.'.repeat(200)])(
    'is none of %j',
    (value) => {
      expect(parseVersion(value)).toBeNull();
    },
  );

  it.each([
    ['3.0.1', '~', '3.0.0', true],
    ['3.1.0', '~', '3.0.0', false],
    ['3.1.0', '^', '3.0.0', true],
    ['4.0.0', '^', '3.0.0', false],
    ['2.0.0-alpha', '<', '2.0.0', true],
    ['2.0.0', '!=', '2.0.0', false],
    ['2.0.0', '>=', '2.0.0', true],
  ])('%s %s %s is %s', (a, operator, b, holds) => {
    expect(versionComparisons[operator]!(parsed(a), parsed(b))).toBe(holds);
  });
});
