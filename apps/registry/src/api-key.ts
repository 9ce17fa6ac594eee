import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 43 base-62 characters hold the 256 bits of 32 random bytes. */
const secretLength = 43;
const checksumLength = 6;

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = (alphabet[Number(rest % 62n)] ?? '') + text;
  return text;
}

/**
 * `emr_live_<8 hex>_<43 base62><6 base62 of CRC-32>`. The fixed start and the checksum let secret scanners find a leaked key and tell it from
 * a look-alike without asking us. `random` is 36 random bytes: 4 for the id, 32 for the secret.
 */
export function newSecret(random: Uint8Array): { key_id: string; prefix: string; key: string } {
  const id = Buffer.from(random.subarray(0, 4)).toString('hex');
  const secret = base62(BigInt(`0x${Buffer.from(random.subarray(4, 36)).toString('hex')}`), secretLength);
  const body = `emr_live_${id}_${secret}`;
  return { key_id: `k_${id}`, prefix: `emr_live_${id}`, key: body + base62(BigInt(crc32(body)), checksumLength) };
}
