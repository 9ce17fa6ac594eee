import { Counts, Decimal, Instant, OneOf, Part, Parts, Text, Texts, Whole } from './fields.js';
import { ModelRef, modelStatuses, type ModelStatus } from './registry.js';
import { request } from './request.js';
import { view } from './view.js';

const maxMs = 1e7;

/** Milliseconds, each within 1 % of the exact nearest-rank value. */
export class Percentiles {
  @Decimal({ min: 0, max: maxMs })
  p50!: number;

  @Decimal({ min: 0, max: maxMs })
  p95!: number;

  @Decimal({ min: 0, max: maxMs })
  p99!: number;
}

export const resolutions = ['minute', 'hour', 'day'] as const;
export type Resolution = (typeof resolutions)[number];

/** What a summary is of: `from` inclusive, `to` exclusive, both on the resolution's bounds but for a `to` that is now. */
export class TimeRange {
  @Instant()
  from!: string;

  @Instant()
  to!: string;

  @OneOf(resolutions, { description: 'How finely the time is kept: minutes for 48 hours, hours for `retention_days`, then days.' })
  resolution!: Resolution;
}

/** While `total_inferences` is 0, every rate, timing and percentile is 0 and `last_updated` is when the model was registered. */
export class Metrics extends ModelRef {
  @Whole()
  total_inferences!: number;

  @Whole()
  successful_inferences!: number;

  @Whole()
  failed_inferences!: number;

  @Decimal({ min: 0, max: 100, description: 'Percent.' })
  success_rate!: number;

  @Decimal({ min: 0, max: maxMs })
  average_timing_ms!: number;

  @Decimal({ min: 0, max: maxMs })
  min_timing_ms!: number;

  @Decimal({ min: 0, max: maxMs })
  max_timing_ms!: number;

  @Part(() => Percentiles)
  percentiles!: Percentiles;

  @Counts()
  error_types!: Record<string, number>;

  @Instant({ description: 'Time of the latest inference.' })
  last_updated!: string;

  @Part(() => TimeRange, { nullable: true, description: 'null: since ever.' })
  range!: TimeRange | null;
}

const Name = (description: string): PropertyDecorator => Text({ max: 128, optional: true, description });

/** `window`, or `from` with or without `to`; none of them: since ever. */
export class RangeRequest extends ModelRef {
  @Text({
    max: 6,
    optional: true,
    pattern: /^[1-9]\d{0,4}[mhd]$/,
    accepted: 'a number of minutes, hours or days such as 15m, 24h or 30d',
    description: 'The last so many minutes, hours or days.',
    example: '24h',
  })
  window?: string;

  @Instant({ optional: true, description: 'The beginning, instead of `window`.' })
  from?: string;

  @Instant({ optional: true, description: 'The end. Default: now.' })
  to?: string;
}

export class MetricsRequest extends RangeRequest {
  @Name('Only inferences that this flag directed here; with `variant`.')
  flag_key?: string;

  @Name('Only inferences of this variant; with `flag_key`.')
  variant?: string;
}

export const seriesSteps = ['1m', '5m', '15m', '1h', '6h', '1d'] as const;
export type SeriesStep = (typeof seriesSteps)[number];

export class SeriesRequest extends MetricsRequest {
  @OneOf(seriesSteps, { optional: true, description: 'Default: the finest that makes at most 200 points.' })
  step?: SeriesStep;
}

export class SeriesPoint {
  @Instant({ description: 'The step begins here.' })
  from!: string;

  @Whole()
  total_inferences!: number;

  @Whole()
  successful_inferences!: number;

  @Whole()
  failed_inferences!: number;

  @Decimal({ min: 0, max: 100, description: 'Percent.' })
  success_rate!: number;

  @Decimal({ min: 0, max: maxMs })
  average_timing_ms!: number;

  @Decimal({ min: 0, max: maxMs })
  min_timing_ms!: number;

  @Decimal({ min: 0, max: maxMs })
  max_timing_ms!: number;

  @Part(() => Percentiles)
  percentiles!: Percentiles;

  @Counts()
  error_types!: Record<string, number>;
}

export class Series extends ModelRef {
  @Part(() => TimeRange)
  range!: TimeRange;

  @OneOf(seriesSteps)
  step!: SeriesStep;

  @Parts(() => SeriesPoint, { description: 'In the order of time; a step without inferences has none.' })
  points!: SeriesPoint[];
}

export class ArmsRequest extends RangeRequest {
  @Name('Only arms of this flag.')
  flag_key?: string;
}

export class ArmMetrics extends Metrics {
  @Text({ max: 128 })
  flag_key!: string;

  @Text({ max: 128 })
  variant!: string;
}

export class Arms extends ModelRef {
  @Parts(() => ArmMetrics, { description: 'By flag and variant; at most 51 of a model, what came after in `other`.' })
  arms!: ArmMetrics[];
}

/** Everything counted of one arm since ever. The difference of two of them is what came in between. */
export class ArmCounters extends ModelRef {
  @Text({ min: 0, max: 128, description: 'Empty with `variant`: all of the model.' })
  flag_key!: string;

  @Text({ min: 0, max: 128 })
  variant!: string;

  @Whole()
  total_inferences!: number;

  @Whole()
  successful_inferences!: number;

  @Decimal({ min: 0, max: 1e300 })
  sum_timing_ms!: number;

  @Counts()
  error_types!: Record<string, number>;

  @Text({ min: 0, max: 50_000, description: 'The serialised quantile sketch in base64.' })
  sketch!: string;
}

/** The arms of a flag at all models, and the whole of some models. */
export class TickRequest {
  @Name('All arms of this flag.')
  flag_key?: string;

  @Texts({ max: 64, max_items: 100, optional: true, description: 'The whole of these models.' })
  model_ids?: string[];
}

export class Tick {
  @Instant({ description: 'When it was read.' })
  at!: string;

  @Parts(() => ArmCounters)
  arms!: ArmCounters[];
}

export const healthStatuses = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;
export type HealthStatus = (typeof healthStatuses)[number];

/** What metrics knows of a model's health; the gateway adds what the registry knows. */
export class Performance extends ModelRef {
  @Part(() => Metrics)
  metrics!: Metrics;

  @OneOf(healthStatuses)
  health_status!: HealthStatus;

  @Texts({ max: 300, max_items: 10 })
  reasons!: string[];

  @Instant()
  since!: string;
}

export class ModelHealth extends ModelRef {
  @Text({ max: 200 })
  name!: string;

  @Text({ max: 200 })
  version!: string;

  @OneOf(modelStatuses)
  status!: ModelStatus;

  @OneOf(healthStatuses, { description: 'Judged over the last 15 minutes.' })
  health_status!: HealthStatus;

  @Whole()
  total_inferences!: number;

  @Decimal({ min: 0, max: 100, description: 'Percent.' })
  success_rate!: number;

  @Decimal({ min: 0, max: maxMs })
  average_timing_ms!: number;

  @Part(() => Percentiles)
  percentiles!: Percentiles;

  @Counts()
  error_types!: Record<string, number>;

  @Instant()
  last_updated!: string;

  @Texts({ max: 300, max_items: 10, description: 'Why `health_status` is what it is.' })
  reasons!: string[];

  @Instant({ description: 'Since when `health_status` is so.' })
  since!: string;
}

export const getMetrics = request('metrics.get_metrics', { input: MetricsRequest, output: Metrics });
export const getSeries = request('metrics.get_series', { input: SeriesRequest, output: Series });
export const getArms = request('metrics.get_arms', { input: ArmsRequest, output: Arms });
export const getTick = request('metrics.get_tick', { input: TickRequest, output: Tick });
export const getPerformance = request('metrics.get_performance', { input: ModelRef, output: Performance });

/** Of all models, published after each evaluation: a status as soon as it changes, figures every few seconds. */
export const healthView = view<Performance>('health', ({ model_id }) => model_id);

/**
 * Told on core NATS after each commit of counted events, `{model_ids}`: figures of these models that were read before are old. Null: of any
 * model. It may get lost: whoever keeps figures keeps them for a second at most.
 */
export const countedNotice = 'emr.notice.metrics.counted';

export interface CountedNotice {
  model_ids: string[] | null;
}
