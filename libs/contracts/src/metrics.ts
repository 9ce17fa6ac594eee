import { Counts, Decimal, Instant, OneOf, Part, Text, Texts, Whole } from './fields.js';
import { ModelRef, modelStatuses, type ModelStatus } from './registry.js';
import { request } from './request.js';

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
}

export const getMetrics = request('metrics.get_metrics', { input: ModelRef, output: Metrics });
export const getPerformance = request('metrics.get_performance', { input: ModelRef, output: Performance });
