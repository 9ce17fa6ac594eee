import { Controller } from '@nestjs/common';
import { invalidInput } from '#contracts/errors.js';
import {
  type ArmCounters,
  type Arms,
  type ArmsRequest,
  getArms,
  getMetrics,
  getPerformance,
  getSeries,
  getTick,
  type Metrics,
  type MetricsRequest,
  type Performance,
  type Series,
  type SeriesRequest,
  type Tick,
  type TickRequest,
} from '#contracts/metrics.js';
import { type ModelRef } from '#contracts/registry.js';
import { Answers } from '#runtime/answers.js';
import { currentCaller } from '#runtime/caller.js';
import { HealthStore } from '../health/health.store.js';
import { KnownModels } from '../known-models.store.js';
import { type ModelWindowEntity, wholeModel } from './model-window.entity.js';
import { metricsOf } from './model-metrics.js';
import { Summary } from './summary.js';
import { rangeOf, shownRange, stepMs, stepOf } from './time-range.js';
import { WindowsStore } from './windows.store.js';

const defaultSeriesWindow = '24h';

@Controller()
export class WindowsHandlers {
  constructor(
    private readonly windows: WindowsStore,
    private readonly known: KnownModels,
    private readonly health: HealthStore,
  ) {}

  @Answers(getMetrics)
  async getMetrics({ model_id, flag_key, variant, ...time }: MetricsRequest): Promise<Metrics> {
    const model = await this.known.require(model_id, currentCaller());
    const range = rangeOf(time, Date.now(), model.retention_days);
    return metricsOf(model, range, await this.windows.of({ model_id, ...armOf(flag_key, variant) }, range));
  }

  @Answers(getSeries)
  async getSeries({ model_id, flag_key, variant, step, ...time }: SeriesRequest): Promise<Series> {
    const model = await this.known.require(model_id, currentCaller());
    const asked = time.window === undefined && time.from === undefined ? { ...time, window: defaultSeriesWindow } : time;
    const range = rangeOf(asked, Date.now(), model.retention_days)!;
    const chosen = stepOf(range, step);
    const points = new Map<number, Summary>();
    for (const row of await this.windows.of({ model_id, ...armOf(flag_key, variant) }, range)) {
      const start = Math.floor(Date.parse(row.window_start) / stepMs(chosen)) * stepMs(chosen);
      const point = points.get(start) ?? new Summary();
      point.add(row);
      points.set(start, point);
    }
    return {
      model_id,
      range: shownRange(range),
      step: chosen,
      points: [...points].map(([start, point]) => ({ from: new Date(start).toISOString(), ...point.figures() })),
    };
  }

  @Answers(getArms)
  async getArms({ model_id, flag_key, ...time }: ArmsRequest): Promise<Arms> {
    const model = await this.known.require(model_id, currentCaller());
    const range = rangeOf(time, Date.now(), model.retention_days);
    const arms = byArm(await this.windows.ofArms(model_id, flag_key, range));
    return {
      model_id,
      arms: arms.map((windows) => ({
        ...metricsOf(model, range, windows),
        flag_key: windows[0]!.flag_key,
        variant: windows[0]!.variant,
      })),
    };
  }

  /** For whoever analyses a rollout: differences between ticks are exact however many ticks were missed. */
  @Answers(getTick)
  async getTick({ flag_key, model_ids }: TickRequest): Promise<Tick> {
    const [ofFlag, ofModels] = await Promise.all([
      flag_key === undefined ? [] : this.windows.lifetimesOfFlag(flag_key),
      model_ids ? this.windows.lifetimesOfModels(model_ids) : [],
    ]);
    return { at: new Date().toISOString(), arms: [...byArm(ofFlag), ...byArm(ofModels)].map(countersOf) };
  }

  @Answers(getPerformance)
  async getPerformance({ model_id }: ModelRef): Promise<Performance> {
    const [metrics, health] = await Promise.all([
      this.getMetrics({ model_id }),
      this.known.require(model_id, currentCaller()).then((model) => this.health.healthOf(model)),
    ]);
    return { model_id, metrics, ...health };
  }
}

function armOf(flag_key: string | undefined, variant: string | undefined): typeof wholeModel {
  if (flag_key === undefined && variant === undefined) return wholeModel;
  if (flag_key === undefined) throw invalidInput([{ field: 'flag_key', accepted: 'a flag_key together with variant' }]);
  if (variant === undefined) throw invalidInput([{ field: 'variant', accepted: 'a variant together with flag_key' }]);
  return { flag_key, variant };
}

/** The rows of each arm, in the order of its first one; every list has one or more. */
function byArm(rows: ModelWindowEntity[]): ModelWindowEntity[][] {
  const arms = new Map<string, ModelWindowEntity[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.model_id, row.flag_key, row.variant]);
    const windows = arms.get(key);
    if (windows) windows.push(row);
    else arms.set(key, [row]);
  }
  return [...arms.values()];
}

function countersOf(windows: ModelWindowEntity[]): ArmCounters {
  const { model_id, flag_key, variant } = windows[0]!;
  const { total, successful, sum_ms, error_types, sketch } = Summary.of(windows);
  return {
    model_id,
    flag_key,
    variant,
    total_inferences: total,
    successful_inferences: successful,
    sum_timing_ms: sum_ms,
    error_types: Object.fromEntries(error_types),
    sketch: Buffer.from(sketch.serialise()).toString('base64'),
  };
}
