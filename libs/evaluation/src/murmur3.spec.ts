import { createRequire } from 'node:module';
import { fc } from '#testing/property.js';
import { murmur3 } from './murmur3.js';

const require = createRequire(import.meta.url);
// Without types of its own.
const reference = require('murmurhash3js-revisited') as { x86: { hash32(bytes: Buffer, seed: number): number } };

describe('murmur3', () => {
  // flagd's testbed picks these keys for where their hashes lie.
  it.each([
    ['ejOoVL', 0x00000000],
    ['bY9fO-', 0x00000001],
    ['SI7p-', 0x7fffffff],
    ['6LvT0', 0x80000000],
    ['ceQdGm', 0xffffffff],
  ])('hashes %s to the edge that the testbed names', (text, hash) => {
    expect(murmur3(text)).toBe(hash);
  });

  // Reference: MurmurHash3_x86_32 of the UTF-8 bytes, seed 0, by the C++ original.
  it.each([
    ['', 0],
    ['a', 0x3c2569b2],
    ['abc', 0xb3dd93fa],
    ['hello', 0x248bfa47],
  ])('hashes %j as the original does', (text, hash) => {
    expect(murmur3(text)).toBe(hash);
  });

  it('hashes UTF-8 bytes as the reference does, whatever the text and the seed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(0xffffffff), (text, seed) => {
        expect(murmur3(text, seed)).toBe(reference.x86.hash32(Buffer.from(text), seed));
      }),
    );
  });

  it('differs from a hash of UTF-16 units where the text is not ASCII', () => {
    expect(murmur3('naïve-ü-木')).toBe(reference.x86.hash32(Buffer.from('naïve-ü-木'), 0));
    expect(murmur3('naïve-ü-木')).not.toBe(reference.x86.hash32(Buffer.from('naïve-ü-木', 'latin1'), 0));
  });
});
