const encoder = new TextEncoder();
// Taken once: a global costs a look-up at each use in contexts such as those of tests.
const { imul } = Math;

/**
 * MurmurHash3 x86 32-bit (Austin Appleby, 2011, public domain) over the UTF-8 bytes of `text`: 0..2^32-1. The popular npm packages hash
 * UTF-16 units and so differ from every other language's for any non-ASCII text.
 */
export function murmur3(text: string, seed = 0): number {
  let hash = seed;
  const { length } = text;
  const whole = length & ~3;
  let seen = 0;
  for (let at = 0; at < whole; at += 4) {
    const block = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8) | (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24);
    seen |= text.charCodeAt(at) | text.charCodeAt(at + 1) | text.charCodeAt(at + 2) | text.charCodeAt(at + 3);
    hash = mix(hash, block);
  }
  let tail = 0;
  for (let at = length - 1; at >= whole; at--) {
    seen |= text.charCodeAt(at);
    tail = (tail << 8) | text.charCodeAt(at);
  }
  // All that was read are ASCII characters, which are their own bytes; otherwise from the start, over the bytes.
  if (seen > 127) return murmur3OfBytes(encoder.encode(text), seed);
  return finish(hash, tail, length);
}

function murmur3OfBytes(bytes: Uint8Array, seed: number): number {
  let hash = seed;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    hash = mix(hash, byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | byte(bytes, at);
  return finish(hash, tail, bytes.length);
}

const mix = (hash: number, block: number): number => {
  const mixed = hash ^ scramble(block);
  return (imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
};

/** A tail of 0 changes nothing, as if there were none. */
function finish(hash: number, tail: number, length: number): number {
  let mixed = hash ^ scramble(tail) ^ length;
  mixed = imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const mixed = imul(block, 0xcc9e2d51);
  return imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

const byte = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
