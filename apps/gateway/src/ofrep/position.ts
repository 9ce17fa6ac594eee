/** How far somebody has heard of changes: numbers in the streams of flags and of evaluators. Only what is of the same streams compares. */
export interface Position {
  flags: number;
  evaluators: number;
}

export const positionText = ({ flags, evaluators }: Position): string => `${flags}-${evaluators}`;

/** Of an event's id, or of an ETag that an event told of; null for anything else. */
export function positionFrom(text: unknown): Position | null {
  const match = typeof text === 'string' ? /^(?:W\/)?"?(\d{1,15})-(\d{1,15})"?$/.exec(text.trim()) : null;
  return match ? { flags: Number(match[1]), evaluators: Number(match[2]) } : null;
}

/** Whether whoever is at `here` has heard of all that there was at `there`. */
export const hasReached = (here: Position, there: Position): boolean => here.flags >= there.flags && here.evaluators >= there.evaluators;
