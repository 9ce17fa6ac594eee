import { fc } from '#testing/property.js';
import { advance, end, type Progress, resolvedWithoutValueMinutes } from './alert-state.js';

const minute = (n: number): string => new Date(n * 60_000).toISOString();

/** A letter a minute: b breached, . not, ? no value. Answers the states and what is told, a minute each. */
function run(text: string, rule: { for_minutes: number; recovery_minutes: number }): { states: string; told: string } {
  let progress: Progress | null = null;
  let states = '';
  let told = '';
  [...text].forEach((letter, index) => {
    const step = advance(progress, letter === '?' ? null : letter === 'b', rule, minute(index));
    progress = step.progress;
    states += step.progress ? step.progress.state[0] : '-';
    told += step.transition ? step.transition[0]!.toUpperCase() : '-';
    // As stored: a resolved alert is closed and the next breach begins another.
    if (progress?.state === 'resolved') progress = null;
  });
  // Recovering and resolved begin alike.
  return { states, told };
}

describe('advance', () => {
  it.each([
    [0, 0, '...', '---', 'nothing to tell'],
    [0, 0, 'b.', 'FR', 'at once'],
    [2, 0, 'bb.bbb', '-----F', 'only a breach that lasts'],
    [2, 0, 'bb?bbb', '-----F', 'a gap while pending begins anew'],
    [0, 2, 'bb..b...', 'F------R', 'a breach while recovering goes on as the same alert'],
    [0, 2, 'b.?..', 'F--R-', 'no value neither breaks nor speeds recovery'],
    [0, 0, 'b??b', 'F---', 'no value leaves it firing'],
    [1, 1, '.bbb...bbb', '--F--R--F-', 'one after the other'],
  ])('for %s min, recovery %s min: %s tells %s: %s', (for_minutes, recovery_minutes, text, expected) => {
    expect(run(text, { for_minutes, recovery_minutes }).told).toBe(expected);
  });

  it('resolves what has had no value for an hour', () => {
    const { told } = run(`b${'?'.repeat(resolvedWithoutValueMinutes + 2)}`, { for_minutes: 0, recovery_minutes: 5 });
    expect(told.indexOf('R')).toBe(resolvedWithoutValueMinutes);
  });

  it('never tells the same twice in a row, and never flaps faster than for_minutes and recovery_minutes allow', () => {
    const times = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.array(fc.constantFrom('b', '.', '?'), { maxLength: 120 }), times, times, (letters, for_minutes, recovery_minutes) => {
        const { told } = run(letters.join(''), { for_minutes, recovery_minutes });
        const changes = [...told].map((what, index) => ({ what, index })).filter(({ what }) => what !== '-');
        changes.forEach(({ what, index }, nth) => {
          expect(what).toBe(nth % 2 === 0 ? 'F' : 'R');
          const before = changes[nth - 1];
          if (before) expect(index - before.index).toBeGreaterThanOrEqual(what === 'R' ? recovery_minutes : for_minutes);
        });
      }),
    );
  });
});

describe('end', () => {
  it('drops what is pending and resolves what fires', () => {
    const pending = advance(null, true, { for_minutes: 5, recovery_minutes: 5 }, minute(0)).progress!;
    expect(end(pending, minute(1))).toEqual({ progress: null, transition: null });
    const firing = advance(null, true, { for_minutes: 0, recovery_minutes: 5 }, minute(0)).progress!;
    expect(end(firing, minute(1))).toMatchObject({ progress: { state: 'resolved', resolved_at: minute(1) }, transition: 'resolved' });
  });
});
