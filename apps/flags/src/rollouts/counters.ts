import { type ArmCounters, type Tick } from '#contracts/metrics.js';
import { Sketch } from '#statistics/sketch.js';
import { type ArmTick } from './analysis.js';

/** What metrics had counted of both arms, ever; null: nothing. The last of these is stored, so the difference to the next is a tick. */
export interface Counters {
  candidate: ArmCounters | null;
  control: ArmCounters | null;
}

/** A tick's counts of one arm as they are stored with the decision. Plain JSON. */
export interface StoredArmTick {
  inferences: number;
  failures: number;
  error_types: Record<string, number>;
  /** A serialised sketch in base64. */
  timings: string;
}

const nothing: ArmTick = { inferences: 0, failures: 0, error_types: {}, timings: new Sketch() };
const noSketch = Buffer.from(new Sketch().serialise()).toString('base64');

/** An arm is what the flag's variant directed to the very model: what another model answered in its place is not the candidate's. */
export function countersOf({ arms }: Tick, flag_key: string, variant: string, model_id: string): ArmCounters | null {
  return arms.find((arm) => arm.flag_key === flag_key && arm.variant === variant && arm.model_id === model_id) ?? null;
}

/** What came in between. Counters that have not grown out of the earlier ones (metrics lost some) say nothing this time. */
export function grown(later: ArmCounters | null, earlier: ArmCounters | null): ArmTick {
  if (!later) return nothing;
  const inferences = later.total_inferences - (earlier?.total_inferences ?? 0);
  const successes = later.successful_inferences - (earlier?.successful_inferences ?? 0);
  const error_types = Object.fromEntries(
    Object.entries(later.error_types)
      .map(([type, count]): [string, number] => [type, count - (earlier?.error_types[type] ?? 0)])
      .filter(([, count]) => count > 0),
  );
  if (inferences < 0 || successes < 0 || successes > inferences) return nothing;
  try {
    const timings = sketchOf(later.sketch).minus(sketchOf(earlier?.sketch ?? noSketch));
    return { inferences, failures: inferences - successes, error_types, timings };
  } catch (error) {
    if (error instanceof RangeError) return nothing;
    throw error;
  }
}

export const sketchOf = (base64: string): Sketch => Sketch.parse(Buffer.from(base64, 'base64'));

export const storedArm = ({ timings, ...counts }: ArmTick): StoredArmTick => ({
  ...counts,
  timings: Buffer.from(timings.serialise()).toString('base64'),
});

export const armOf = ({ timings, ...counts }: StoredArmTick): ArmTick => ({ ...counts, timings: sketchOf(timings) });
