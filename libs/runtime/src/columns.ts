import { type ValueTransformer } from 'typeorm';

/** A timestamptz column as an RFC 3339 string in UTC, the form that times have everywhere else. */
export const instant: ValueTransformer = {
  from: (stored: Date | null): string | null => stored?.toISOString() ?? null,
  to: (value: unknown): unknown => value,
};

/** A bigint column as a number: counts stay far below 2^53. */
export const count: ValueTransformer = { from: Number, to: (value: unknown): unknown => value };
