import { hasReached, positionFrom, positionText } from './position.js';

describe('a position', () => {
  it.each(['7-12', '"7-12"', 'W/"7-12"', ' "7-12" '])('is read from %s', (text) => {
    expect(positionFrom(text)).toEqual({ flags: 7, evaluators: 12 });
    expect(positionText({ flags: 7, evaluators: 12 })).toBe('7-12');
  });

  it.each([undefined, '', '7', '7-', '-7', '7-12-3', 'seven', '1e3-1', '9999999999999999-1', ['7-12']])('is none in %s', (text) => {
    expect(positionFrom(text)).toBeNull();
  });

  it('has reached another when it is behind in neither stream', () => {
    const here = { flags: 7, evaluators: 12 };
    expect(hasReached(here, here)).toBe(true);
    expect(hasReached(here, { flags: 8, evaluators: 1 })).toBe(false);
    expect(hasReached(here, { flags: 1, evaluators: 13 })).toBe(false);
  });
});
