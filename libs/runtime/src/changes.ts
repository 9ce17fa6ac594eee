import { isDeepStrictEqual } from 'node:util';

/**
 * Whether a change names a field with another value than the row has. How objects were made, the order of their keys and fields that are
 * undefined make no difference. A change that changes nothing leaves revision, time and audit as they are.
 */
export function changesAnything<Row extends object>(before: Row, change: Partial<Row>): boolean {
  return Object.entries(change).some(([name, value]) => !isDeepStrictEqual(plain(before[name as keyof Row]), plain(value)));
}

const plain = (value: unknown): unknown => (value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown));
