import { view } from '#contracts/view.js';
import { Followed } from './followed.js';

interface Thing {
  name: string;
  revision: number;
}

const thing = (revision: number): Thing => ({ name: 'a', revision });
let followed: Followed<Thing>;
beforeEach(() => {
  followed = new Followed(view<Thing>('things', ({ name }) => name));
});

describe('a followed view', () => {
  it('does not go back from what the owner answered to what the view says late', () => {
    followed.apply(thing(1));
    followed.learn(thing(3));
    followed.apply(thing(2));
    expect(followed.get('a')).toEqual(thing(3));
    followed.apply(thing(3));
    followed.apply(thing(4));
    expect(followed.get('a')).toEqual(thing(4));
  });

  it('keeps the very answer that the view brings round, and takes another of the same revision', () => {
    const answered = thing(2);
    followed.learn(answered);
    followed.apply({ revision: 2, name: 'a' });
    expect(followed.get('a')).toBe(answered);
    followed.apply(thing(2));
    expect(followed.get('a')).not.toBe(answered);
  });

  it('does not go back to an answer that was overtaken by the view', () => {
    followed.apply(thing(5));
    followed.learn(thing(4));
    expect(followed.get('a')).toEqual(thing(5));
  });

  it('takes something new under a name that was removed, also when the removal was not heard of', () => {
    followed.learn(thing(7));
    followed.forget('a');
    followed.apply(thing(1));
    expect(followed.get('a')).toEqual(thing(1));
    followed.learn(thing(7));
    followed.restart();
    followed.apply(thing(1));
    expect(followed.get('a')).toEqual(thing(1));
  });

  it('does not bring back what the owner answered that it removed, until the view has something new under the name', () => {
    followed.apply(thing(1));
    followed.unlearn('a');
    followed.apply(thing(2));
    expect(followed.get('a')).toBeUndefined();
    followed.forget('a');
    followed.apply(thing(1));
    expect(followed.get('a')).toEqual(thing(1));
  });

  it('says what the view has not brought round, and nothing once it has', () => {
    expect(followed.unheard).toBe('');
    followed.learn(thing(2));
    const first = followed.unheard;
    followed.learn(thing(3));
    expect(new Set(['', first, followed.unheard]).size).toBe(3);
    followed.apply(thing(3));
    expect(followed.unheard).toBe('');
    followed.unlearn('a');
    expect(followed.unheard).not.toBe('');
    followed.forget('a');
    expect(followed.unheard).toBe('');
  });

  it('tells of every change once, with what was there before', () => {
    const seen: string[] = [];
    followed.apply(thing(1));
    followed.onChange({
      put: (record, before) => seen.push(`${before?.revision ?? 'none'} -> ${record.revision}`),
      removed: (before) => seen.push(`${before.revision} removed`),
    });
    followed.learn(thing(2));
    followed.apply(thing(1));
    followed.apply(thing(3));
    followed.forget('a');
    followed.forget('a');
    expect(seen).toEqual(['none -> 1', '1 -> 2', '2 -> 3', '3 removed']);
  });

  it('has an age once its owner was not heard for three seconds, or NATS is away', () => {
    let connected = true;
    const view = new Followed<Thing>({ bucket: 'things', keyOf: ({ name }) => name }, () => connected);
    view.isCurrentAs(10_000);
    view.isCurrentAs(9_000);
    expect([view.ageMs(13_000), view.silenceMs(13_000)]).toEqual([null, 3_000]);
    expect(view.ageMs(13_001)).toBe(3_001);
    connected = false;
    expect(view.ageMs(10_500)).toBe(500);
    expect(view.ageMs(9_500)).toBe(0);
  });
});
