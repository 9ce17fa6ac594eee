import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { And, type FindOptionsWhere, In, LessThan, MoreThanOrEqual, Not, Repository } from 'typeorm';
import { ModelWindowEntity, wholeModel } from './model-window.entity.js';
import { type Arm, hourMs } from './tally.js';
import { type Range } from './time-range.js';

type Where = FindOptionsWhere<ModelWindowEntity>;

/**
 * Reads windows: rows that together hold every inference of a range once. Each is one statement, since between two of them a minute may be
 * folded, or an hour be made part of a day.
 */
@Injectable()
export class WindowsStore {
  constructor(@InjectRepository(ModelWindowEntity, 'metrics') private readonly windows: Repository<ModelWindowEntity>) {}

  /** The windows of one arm in a range, in the order of time; of null, those that add up to its lifetime. */
  of(arm: Arm, range: Range | null): Promise<ModelWindowEntity[]> {
    return this.windows.find({ where: within(arm, range), order: { window_start: 'ASC' } });
  }

  /** Those of all arms of a model, or of its arms of one flag. */
  ofArms(model_id: string, flag_key: string | undefined, range: Range | null): Promise<ModelWindowEntity[]> {
    return this.windows.find({
      where: within({ model_id, flag_key: flag_key ?? Not('') }, range),
      order: { flag_key: 'ASC', variant: 'ASC', window_start: 'ASC' },
    });
  }

  /** What adds up to the lifetimes of all arms of a flag, whichever model they are at. */
  lifetimesOfFlag(flag_key: string): Promise<ModelWindowEntity[]> {
    return this.windows.find({ where: within({ flag_key }, null), order: { model_id: 'ASC', variant: 'ASC', window_start: 'ASC' } });
  }

  lifetimesOfModels(model_ids: string[]): Promise<ModelWindowEntity[]> {
    return this.windows.find({
      where: within({ model_id: In(model_ids), ...wholeModel }, null),
      order: { model_id: 'ASC', window_start: 'ASC' },
    });
  }
}

function within(whose: Where, range: Range | null): Where[] {
  if (range === null) return [{ ...whose, folded: false }];
  const { from_ms, to_ms, resolution } = range;
  if (resolution === 'minute') return [{ ...whose, period: 'minute', window_start: between(from_ms, to_ms) }];
  // Days are made of hours that have had their time, and hours of minutes: no two rows hold the same inference.
  const lastHourEnds_ms = Math.ceil(to_ms / hourMs) * hourMs;
  return [
    { ...whose, period: In(['hour', 'day']), window_start: between(from_ms, to_ms) },
    { ...whose, period: 'minute', folded: false, window_start: between(from_ms, lastHourEnds_ms) },
  ];
}

const between = (from_ms: number, to_ms: number) =>
  And(MoreThanOrEqual(new Date(from_ms).toISOString()), LessThan(new Date(to_ms).toISOString()));
