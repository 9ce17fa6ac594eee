import { crc32 } from 'node:zlib';

/** What a key is for: `test` keys may be known to many, and a scanner that finds one need not wake anybody. */
export const keyKinds = ['live', 'test'] as const;
export type KeyKind = (typeof keyKinds)[number];

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 43 base-62 characters hold the 256 bits of 32 random bytes. */
const secretLength = 43;
const checksumLength = 6;

const madeByUs = new RegExp(`^emr_(?:${keyKinds.join('|')})_[0-9a-f]{8}_[0-9A-Za-z]{${secretLength + checksumLength}}$`);

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = (alphabet[Number(rest % 62n)] ?? '') + text;
  return text;
}

const checksumOf = (body: string): string => base62(BigInt(crc32(body)), checksumLength);

/**
 * `emr_<live|test>_<8 hex>_<43 base62><6 base62 of CRC-32>`. The fixed start and the checksum let secret scanners find a leaked key and tell it
 * from a look-alike without asking us. `random` is 36 random bytes: 4 for the id, 32 for the secret.
 */
export function newKeyText(kind: KeyKind, random: Uint8Array): { key_id: string; prefix: string; key: string } {
  const id = Buffer.from(random.subarray(0, 4)).toString('hex');
  const secret = base62(BigInt(`0x${Buffer.from(random.subarray(4, 36)).toString('hex')}`), secretLength);
  const prefix = `emr_${kind}_${id}`;
  const body = `${prefix}_${secret}`;
  return { key_id: `k_${id}`, prefix, key: body + checksumOf(body) };
}

/**
 * `ours`: made by `newKeyText`, so that nobody can guess it; `mistyped`: it looks like that and cannot be, since it was cut, mistyped or made up;
 * `other`: chosen by whoever installed, such as the first admin's.
 */
export function formOf(key: string): 'ours' | 'mistyped' | 'other' {
  if (!madeByUs.test(key)) return 'other';
  return checksumOf(key.slice(0, -checksumLength)) === key.slice(-checksumLength) ? 'ours' : 'mistyped';
}
