/** `<sport>_model_<8 hex>` in lower case, `model_<8 hex>` without a sport. `random` is at least 4 random bytes. */
export function modelIdOf(sport: string | null, random: Uint8Array): string {
  const suffix = Buffer.from(random.subarray(0, 4)).toString('hex');
  return sport ? `${sport.toLowerCase()}_model_${suffix}` : `model_${suffix}`;
}
