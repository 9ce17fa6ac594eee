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

const Alpha = (optional: boolean): PropertyDecorator =>
  Decimal({ min: 0.0001, max: 0.2, optional, description: 'The probability of a false alarm in a whole run.' });
const Power = (optional: boolean): PropertyDecorator =>
  Decimal({
    min: 0.5,
    max: 0.999,
    optional,
    description: 'With which a worsening of the smallest band is to be found; else there is too little data.',
  });
const MinimumN = (optional: boolean): PropertyDecorator =>
  Whole({ min: 5, max: 100_000, optional, description: 'With fewer rows, or requests of a side, nothing is said.' });

/** By what a difference between a run and its baselines counts. */
export class ComparisonRules {
  @Alpha(false)
  alpha!: number;

  @Power(false)
  power!: number;

  @MinimumN(false)
  minimum_n!: number;

  @Part(() => EffectBands)
  bands!: EffectBands;

  @Part(() => CaseShares)
  cases!: CaseShares;
}

export class ValidationPolicy extends ComparisonRules {
  @Whole({ min: 1 })
  revision!: number;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  updated_by!: string;
}

export class ValidationPolicyChange {
  @Alpha(true)
  alpha?: number;

  @Power(true)
  power?: number;

  @MinimumN(true)
  minimum_n?: number;

  @Part(() => EffectBands, { optional: true })
  bands?: EffectBands;

  @Part(() => CaseShares, { optional: true })
  cases?: CaseShares;

  @Text({ max: 1000, description: 'Why; kept in the audit.' })
  reason!: string;

  @IfMatch()
  if_match?: number[];
}

export class ValidationPolicyRequest {
  @Whole({ min: 1, max: 1_000_000_000, optional: true, description: 'The policy as it was at this revision: `policy_revision` of a run.' })
  revision?: number;
}

export const getValidationPolicy = request('validation.get_policy', { input: ValidationPolicyRequest, output: ValidationPolicy });
export const changeValidationPolicy = request('validation.change_policy', { input: ValidationPolicyChange, output: ValidationPolicy });
