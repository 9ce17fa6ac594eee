import { Controller } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { MoreThanOrEqual, Repository } from 'typeorm';
import { getMetrics, getPerformance, type Metrics, type Performance } from '#contracts/metrics.js';
import { type Model, type ModelRef } from '#contracts/registry.js';
import { Answers } from '#runtime/answers.js';
import { Sketch } from '#statistics/sketch.js';
import { judgeHealth, recentMinutes } from '../health/health.js';
import { KnownModels } from '../known-models.store.js';
import { ModelWindowEntity, wholeModel } from './model-window.entity.js';

@Controller()
export class WindowsHandlers {
  constructor(
    @InjectRepository(ModelWindowEntity, 'metrics') private readonly windows: Repository<ModelWindowEntity>,
    private readonly known: KnownModels,
  ) {}

  @Answers(getMetrics)
  async getMetrics({ model_id }: ModelRef): Promise<Metrics> {
    const [model, lifetime] = await Promise.all([
      this.known.require(model_id),
      this.windows.findOneBy({ model_id, ...wholeModel, period: 'lifetime' }),
    ]);
    return metricsOf(model, lifetime);
  }

  @Answers(getPerformance)
  async getPerformance({ model_id }: ModelRef): Promise<Performance> {
    const since = new Date(Date.now() - recentMinutes * 60_000).toISOString();
    const [metrics, minutes] = await Promise.all([
      this.getMetrics({ model_id }),
      this.windows.findBy({ model_id, ...wholeModel, period: 'minute', window_start: MoreThanOrEqual(since) }),
    ]);
    const sum = (column: 'total' | 'successful'): number => minutes.reduce((total, minute) => total + minute[column], 0);
    return { model_id, metrics, ...judgeHealth({ total: sum('total'), successful: sum('successful') }) };
  }
}

function metricsOf(model: Model, window: ModelWindowEntity | null): Metrics {
  const { total = 0, successful = 0, sum_ms = 0, sketch = null, error_types = {} } = window ?? {};
  const [min, max] = [window?.min_ms ?? 0, window?.max_ms ?? 0];
  const timings = sketch ? Sketch.parse(sketch) : new Sketch();
  const quantile = (q: number): number => (total ? rounded(timings.quantile(q, min, max)) : 0);
  return {
    model_id: model.model_id,
    total_inferences: total,
    successful_inferences: successful,
    failed_inferences: total - successful,
    success_rate: total ? rounded((successful / total) * 100) : 0,
    average_timing_ms: total ? rounded(sum_ms / total) : 0,
    min_timing_ms: min,
    max_timing_ms: max,
    percentiles: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
    error_types,
    last_updated: window?.last_occurred_at ?? model.created_at,
  };
}

/** Four decimals: more is noise of the arithmetic. */
const rounded = (value: number): number => Math.round(value * 10_000) / 10_000;
