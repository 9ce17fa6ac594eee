import { view } from '#contracts/view.js';
import { Followed } from './views.js';

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

  it('knows nothing of what is in doubt until the view brings it', () => {
    followed.apply(thing(1));
    followed.doubt('a');
    expect(followed.get('a')).toBeUndefined();
    followed.apply(thing(2));
    expect(followed.get('a')).toEqual(thing(2));
  });
});
