import { murmur3 } from './murmur3.js';

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

  it('hashes UTF-8 bytes, not UTF-16 units', () => {
    expect(murmur3('naïve-ü-木')).toBe(murmur3Of(Buffer.from('naïve-ü-木')));
    expect(murmur3('naïve-ü-木')).not.toBe(murmur3Of(Buffer.from('naïve-ü-木', 'latin1')));
  });
});

/** A second, plain reading of the algorithm, over BigInt. */
function murmur3Of(bytes: Buffer): number {
  const mask = 0xffffffffn;
  const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask;
  const scramble = (block: bigint): bigint => (rotate((block * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask;
  let hash = 0n;
  const whole = Math.floor(bytes.length / 4) * 4;
  for (let at = 0; at < whole; at += 4) hash = (rotate(hash ^ scramble(BigInt(bytes.readUInt32LE(at))), 13n) * 5n + 0xe6546b64n) & mask;
  const tail = bytes.subarray(whole);
  if (tail.length) hash ^= scramble(tail.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
  hash ^= BigInt(bytes.length);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask;
  return Number(hash ^ (hash >> 16n));
}
