/**
 * Whole numbers from 0 to 2^32 − 1, evenly and, for all that is done with them here, independently distributed: the same for the same seed, of
 * which the lower 32 bits count. Source: sfc32 of Doty-Humphrey's PractRand; not for secrets.
 */
export function seededRandom(seed: number): () => number {
  let [a, b, c, counter] = [0, seed | 0, 0x9e3779b9 | 0, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // Until the seed has reached every bit.
  for (let i = 0; i < 15; i++) next();
  return next;
}
