import { type AssignmentPreview, type Share } from '#contracts/assignment-preview.js';
import { type CompiledFlag } from '#evaluation/compiled-flag.js';

/** Where the variant of each key is before and after, and how many move at least, whatever the algorithm. */
export function assignmentPreview(
  before: CompiledFlag,
  after: CompiledFlag,
  { keys, context, now_ms, shown }: { keys: Iterable<string>; context: Record<string, unknown>; now_ms: number; shown: number },
): AssignmentPreview {
  const shares = new Map<string | null, Share>();
  const shareOf = (variant: string | null): Share => {
    const share = shares.get(variant) ?? { variant, before: 0, after: 0 };
    shares.set(variant, share);
    return share;
  };
  const moves: AssignmentPreview['moves'] = [];
  let [total, moved] = [0, 0];
  for (const targetingKey of keys) {
    const from = before.evaluate({ ...context, targetingKey }, now_ms).variant;
    const to = after.evaluate({ ...context, targetingKey }, now_ms).variant;
    total += 1;
    shareOf(from).before += 1;
    shareOf(to).after += 1;
    if (from === to) continue;
    moved += 1;
    if (moves.length < shown) moves.push({ targeting_key: targetingKey, from, to });
  }
  const percent = (part: number): number => (total ? (100 * part) / total : 0);
  const variants = [...shares.values()].sort((a, b) => ((a.variant ?? '') < (b.variant ?? '') ? -1 : 1));
  return {
    flag_key: before.flag.flag_key,
    keys: total,
    moved,
    moved_percent: percent(moved),
    // What is lost somewhere is gained elsewhere: each move is counted twice.
    unavoidable_percent: percent(variants.reduce((sum, share) => sum + Math.abs(share.after - share.before), 0) / 2),
    variants,
    moves,
  };
}

/** `sample-1`, `sample-2`, …: the same at every call. */
export function* sampleKeys(count: number): Iterable<string> {
  for (let at = 1; at <= count; at++) yield `sample-${at}`;
}
