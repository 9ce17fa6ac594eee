import { fc } from '#testing/property.js';
import { formOf, keyKinds, newKeyText } from './key-text.js';

const random = fc.uint8Array({ minLength: 36, maxLength: 36 });
const key = fc.tuple(fc.constantFrom(...keyKinds), random).map(([kind, bytes]) => newKeyText(kind, bytes).key);

describe('a key’s text', () => {
  it('is what a scanner looks for, and always of the same length', () => {
    expect(newKeyText('live', new Uint8Array(36))).toEqual({
      key_id: 'k_00000000',
      prefix: 'emr_live_00000000',
      key: `emr_live_00000000_${'0'.repeat(43)}3Y0frj`,
    });
    fc.assert(fc.property(key, (text) => /^emr_(live|test)_[0-9a-f]{8}_[0-9A-Za-z]{49}$/.test(text) && formOf(text) === 'ours'));
  });

  it('is found out when one of its characters is another one', () => {
    fc.assert(
      fc.property(key, fc.nat(48), fc.constantFrom(...'0Aaz9'), (text, place, other) => {
        const at = text.length - 49 + place;
        fc.pre(text[at] !== other);
        expect(formOf(text.slice(0, at) + other + text.slice(at + 1))).toBe('mistyped');
      }),
    );
  });

  it.each(['', 'x'.repeat(40), 'emr_live_00000000_short', `emr_${'0'.repeat(48)}`])(
    'of another form, %p, is called neither ours nor mistyped',
    (text) => {
      expect(formOf(text)).toBe('other');
    },
  );
});
