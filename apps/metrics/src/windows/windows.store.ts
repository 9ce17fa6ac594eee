import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { And, In, LessThan, MoreThanOrEqual, Not, Repository } from 'typeorm';
import { ModelWindowEntity } from './model-window.entity.js';
import { type Arm, type Period } from './tally.js';
import { type Range } from './time-range.js';

/** Days are made of hours that have had their time: an older range may need both, which never hold the same inference. */
const periodsOf: Record<Range['resolution'], Period[]> = { minute: ['minute'], hour: ['hour', 'day'], day: ['day', 'hour'] };

@Injectable()
export class WindowsStore {
  constructor(@InjectRepository(ModelWindowEntity, 'metrics') private readonly windows: Repository<ModelWindowEntity>) {}

  /** The windows of one arm in a range, in the order of time; of null, its lifetime. */
  of(arm: Arm, range: Range | null): Promise<ModelWindowEntity[]> {
    return this.windows.find({ where: { ...arm, ...within(range) }, order: { window_start: 'ASC' } });
  }

  /** Those of all arms of a model, or of its arms of one flag. */
  ofArms(model_id: string, flag_key: string | undefined, range: Range | null): Promise<ModelWindowEntity[]> {
    return this.windows.find({
      where: { model_id, flag_key: flag_key ?? Not(''), ...within(range) },
      order: { flag_key: 'ASC', variant: 'ASC', window_start: 'ASC' },
    });
  }

  /** Lifetimes of all arms of a flag, whichever model they are at. */
  lifetimesOfFlag(flag_key: string): Promise<ModelWindowEntity[]> {
    return this.windows.find({ where: { flag_key, period: 'lifetime' }, order: { model_id: 'ASC', variant: 'ASC' } });
  }

  lifetimesOfModels(model_ids: string[]): Promise<ModelWindowEntity[]> {
    return this.windows.find({
      where: { model_id: In(model_ids), flag_key: '', variant: '', period: 'lifetime' },
      order: { model_id: 'ASC' },
    });
  }
}

function within(range: Range | null) {
  if (range === null) return { period: 'lifetime' as const };
  const from = new Date(range.from_ms).toISOString();
  const to = new Date(range.to_ms).toISOString();
  return { period: In(periodsOf[range.resolution]), window_start: And(MoreThanOrEqual(from), LessThan(to)) };
}
