import { type Sent } from './exchange.harness.js';

/** Beyond that a body is cut, and said to be. */
const mostCharacters = 1_000;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as a line for a shell, in which `$EMR` is the root of the suite and `$KEY_<principal>` a key. */
export function curlOf({ operation, principal, path, headers, body }: Sent): string {
  const parts = ['curl', '-sS', '-g', '--path-as-is', '-X', operation.method];
  if (principal.name !== 'none') parts.push('-H', `"Authorization: Bearer $KEY_${principal.name}"`);
  for (const [name, value] of Object.entries(headers)) parts.push('-H', quoted(value === '' ? `${name};` : `${name}: ${value}`));
  const text = body?.toString() ?? '';
  const isText = body === undefined || (Buffer.from(text).equals(body) && !text.includes('\u0000'));
  if (body) parts.push('--data-binary', isText ? quoted(cut(text)) : '@-');
  parts.push(`"$EMR"${quoted(cut(path))}`);
  const line = parts.join(' ');
  return isText ? line : `printf ${quoted([...body].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''))} | ${line}`;
}

const cut = (text: string): string =>
  text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters)}… (${text.length} characters)`;
