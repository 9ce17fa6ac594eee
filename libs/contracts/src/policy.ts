import { Decimal, Instant, Part, Text, Whole } from './fields.js';
import { IfMatch } from './registry.js';
import { request } from './request.js';

const Band = (description?: string): PropertyDecorator => Decimal({ min: 0.0001, max: 100, description });

/** The least worsening of each severity; they do not fall. */
export class Bands {
  @Band('A smaller one does not count.')
  low!: number;

  @Band()
  medium!: number;

  @Band()
  high!: number;
}

export class EffectBands {
  @Part(() => Bands, { description: 'accuracy, precision, recall, F1, AUC, R², calibration error: points of 0 to 1.' })
  share!: Bands;

  @Part(() => Bands, { description: 'log loss, Brier, MAE, RMSE, MAPE: as a fraction of the baseline’s.' })
  error!: Bands;

  @Part(() => Bands, { description: 'Latency, as a fraction of the baseline’s.' })
  latency!: Bands;

  @Part(() => Bands, { description: 'The share of failed requests: points of 0 to 1.' })
  failures!: Bands;
}

const Share = (description: string): PropertyDecorator => Decimal({ min: 0, max: 1, description });

/** Cases that passed before and do not now, as a share of those compared. */
export class CaseShares {
  @Share('More than this is medium; any is low.')
  medium!: number;

  @Share('More than this is high.')
  high!: number;
}

/** By what a difference between a run and its baselines counts. */
export class NewPolicy {
  @Decimal({ min: 0.0001, max: 0.2, description: 'The probability of a false alarm in a whole run.' })
  alpha!: number;

  @Decimal({
    min: 0.5,
    max: 0.999,
    description: 'With which a worsening of the smallest band is to be found; else there is too little data.',
  })
  power!: number;

  @Whole({ min: 5, max: 100_000, description: 'With fewer rows, or requests of a side, nothing is said.' })
  minimum_n!: number;

  @Part(() => EffectBands)
  bands!: EffectBands;

  @Part(() => CaseShares)
  cases!: CaseShares;
}

export class PolicyChange extends NewPolicy {
  @Text({ max: 1000 })
  reason!: string;

  @IfMatch()
  if_match?: number[];
}

export class ValidationPolicy extends NewPolicy {
  @Whole({ min: 1 })
  revision!: number;

  @Instant()
  changed_at!: string;

  @Text({ max: 100 })
  changed_by!: string;
}

export class PolicyRequest {
  @Whole({ min: 1, max: 1_000_000_000, optional: true, description: 'The policy as it was at this revision: `policy_revision` of a run.' })
  revision?: number;
}

export const getPolicy = request('validation.get_policy', { input: PolicyRequest, output: ValidationPolicy });
export const changePolicy = request('validation.change_policy', { input: PolicyChange, output: ValidationPolicy });
