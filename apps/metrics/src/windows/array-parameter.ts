/**
 * One-dimensional arrays as parameters in PostgreSQL's binary form, which `pg` hands over as it is: an array of its own it writes as text,
 * which costs both ends more than the rest of a statement. The parameter's type must be exactly the one named. Source of the format: array_recv
 * in PostgreSQL's src/backend/utils/adt/arrayfuncs.c, and the *recv functions of the elements.
 */

/** The types' numbers, as pg_type.dat has them. */
const oids = { bytea: 17, int8: 20, text: 25, float8: 701, timestamptz: 1184 };
const headBytes = 20;
const lengthBytes = 4;
const fixedBytes = 8;
const postgresEpochMs = Date.UTC(2000, 0, 1);

/** text[] */
export const texts = (values: readonly (string | null)[]): Buffer =>
  varying(
    oids.text,
    values.map((value) => (value === null ? null : Buffer.from(value))),
  );

/** bytea[] */
export const byteas = (values: readonly Uint8Array[]): Buffer => varying(oids.bytea, values);

/** int8[] of whole numbers to ±(2^53 − 1). */
export const bigints = (values: readonly number[]): Buffer =>
  fixed(oids.int8, values, (array, value, at) => array.writeBigInt64BE(BigInt(value), at));

/** float8[] */
export const floats = (values: readonly number[]): Buffer =>
  fixed(oids.float8, values, (array, value, at) => array.writeDoubleBE(value, at));

/** timestamptz[] of epoch milliseconds. */
export const instants = (values: readonly number[]): Buffer =>
  fixed(oids.timestamptz, values, (array, value, at) => array.writeBigInt64BE(BigInt(Math.round((value - postgresEpochMs) * 1_000)), at));

function varying(oid: number, values: readonly (Uint8Array | null)[]): Buffer {
  const bytes = values.reduce((sum, value) => sum + lengthBytes + (value?.length ?? 0), 0);
  const array = begun(oid, values.length, bytes, values.includes(null));
  let at = headBytes;
  for (const value of values) {
    at = array.writeInt32BE(value?.length ?? -1, at);
    if (!value) continue;
    array.set(value, at);
    at += value.length;
  }
  return array;
}

function fixed<Value>(oid: number, values: readonly Value[], write: (array: Buffer, value: Value, at: number) => unknown): Buffer {
  const array = begun(oid, values.length, values.length * (lengthBytes + fixedBytes), false);
  let at = headBytes;
  for (const value of values) {
    at = array.writeInt32BE(fixedBytes, at);
    write(array, value, at);
    at += fixedBytes;
  }
  return array;
}

function begun(oid: number, length: number, bytes: number, nulls: boolean): Buffer {
  const array = Buffer.allocUnsafe(headBytes + bytes);
  const dimensions = 1;
  const lowerBound = 1;
  [dimensions, Number(nulls), oid, length, lowerBound].forEach((number, place) => array.writeInt32BE(number, place * lengthBytes));
  return array;
}
