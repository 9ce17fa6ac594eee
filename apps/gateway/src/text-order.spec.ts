import { fc } from '#testing/property.js';
import { compareTexts, foldedCase } from './text-order.js';

const text = fc.string({ unit: 'binary', maxLength: 6 });

describe('the order of texts', () => {
  it('is that of their bytes in UTF-8', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareTexts(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    // JavaScript has it the other way round.
    expect(compareTexts('\u{1F600}', '\uFFFD')).toBeGreaterThan(0);
  });
});

describe('folded case', () => {
  it.each([
    ['MLB Model', 'mlb model'],
    ['ÄÖÜ', 'äöü'],
    ['ΣΑΣ', 'σασ'],
    ['İstanbul', 'istanbul'],
  ])('of %s is %s', (given, folded) => expect(foldedCase(given)).toBe(folded));
});
