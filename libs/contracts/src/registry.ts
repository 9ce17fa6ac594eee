import { sportAccepted, sportPattern } from './access.js';
import { AuditPage } from './audit.js';
import { Bool, Decimal, Instant, Line, OneOf, Part, Parts, Text, Texts, Whole, Wholes } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { request } from './request.js';
import { Serving } from './serving.js';
import { view } from './view.js';

export const modelTypes = ['transformer', 'ensemble', 'traditional_ml'] as const;
export type ModelType = (typeof modelTypes)[number];

export const modelStatuses = ['development', 'canary', 'stable', 'deprecated', 'retired'] as const;
export type ModelStatus = (typeof modelStatuses)[number];

const idAccepted = '1 to 64 of a-z, 0-9 and _, such as mlb_model_a1b2c3d4';
const semanticVersion =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z-]{1,40}(\.[0-9A-Za-z-]{1,40}){0,8})?(\+[0-9A-Za-z-]{1,40}(\.[0-9A-Za-z-]{1,40}){0,8})?$/;
// Also a key of a NATS bucket, in which no part between dots may be empty.
const flagKeyPattern = /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/;
const flagKeyAccepted = '1 to 128 letters, digits, _, - and single dots between them, beginning with a letter or digit';

export const ModelId = (): PropertyDecorator =>
  Text({
    max: 64,
    pattern: /^[a-z0-9_]{1,64}$/,
    accepted: idAccepted,
    description: 'Unique model identifier',
    example: 'mlb_model_a1b2c3d4',
  });

export const FlagKey = (options: { optional?: boolean; nullable?: boolean; description?: string } = {}): PropertyDecorator =>
  Text({ max: 128, pattern: flagKeyPattern, accepted: flagKeyAccepted, example: 'mlb_transformer_v2', ...options });

export const Sport = (options: { optional?: boolean; nullable?: boolean; description?: string } = {}): PropertyDecorator =>
  Text({ max: 16, pattern: sportPattern, accepted: sportAccepted, example: 'MLB', ...options });

export class ModelRef {
  @ModelId()
  model_id!: string;
}

const maxObjectiveMs = 1e7;

/** What a model's health and burn-rate alerts are held against; what is null is judged by the defaults. */
export class Objectives {
  // Not 100: no failure at all would be allowed, and a burn rate divides by what is.
  @Decimal({
    min: 0,
    max: 99.999,
    optional: true,
    nullable: true,
    description: 'The success rate, in percent, that it shall have at least.',
  })
  success_rate?: number | null;

  @Decimal({
    min: 0.001,
    max: maxObjectiveMs,
    optional: true,
    nullable: true,
    description: '95 % shall take at most this, in milliseconds.',
  })
  p95_ms?: number | null;

  @Decimal({
    min: 0.001,
    max: maxObjectiveMs,
    optional: true,
    nullable: true,
    description: '99 % shall take at most this, in milliseconds.',
  })
  p99_ms?: number | null;
}

export class Model extends ModelRef {
  @Text({ max: 200, example: 'MLB Transformer v2.1' })
  name!: string;

  @Text({ max: 200, pattern: semanticVersion, accepted: 'a semantic version such as 2.1.0', example: '2.1.0' })
  version!: string;

  @OneOf(modelTypes)
  model_type!: ModelType;

  @OneOf(modelStatuses)
  status!: ModelStatus;

  @Text({ min: 0, max: 1000 })
  description!: string;

  @Sport({ nullable: true })
  sport!: string | null;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100, description: 'Name of the key that registered it.' })
  created_by!: string;

  @Text({ max: 100, example: 'production' })
  deployment_target!: string;

  @FlagKey({ nullable: true, description: 'The feature flag that directs traffic to it.' })
  feature_flag_id!: string | null;

  @Decimal({ min: 0, max: 100, description: 'Share of traffic in percent.' })
  rollout_percentage!: number;

  @Whole({ min: 1, max: 3650, description: 'Days that it is kept once retired.' })
  retention_days!: number;

  @Part(() => Serving, { nullable: true })
  serving!: Serving | null;

  @Part(() => Objectives, { nullable: true })
  objectives!: Objectives | null;

  @Instant({ nullable: true })
  retired_at!: string | null;

  @Text({ max: 20, nullable: true, description: 'The rollout that alone changes `status` and `rollout_percentage` at present.' })
  rollout_id!: string | null;

  @Whole({ min: 1, description: 'Grows by one with every change; the ETag.' })
  revision!: number;
}

export class NewModel {
  @Line({ max: 200, example: 'MLB Transformer v2.1' })
  name!: string;

  @Text({ max: 200, pattern: semanticVersion, accepted: 'a semantic version such as 2.1.0', example: '2.1.0' })
  version!: string;

  @OneOf(modelTypes)
  model_type!: ModelType;

  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Sport({ optional: true, nullable: true })
  sport?: string | null;

  @Line({ max: 100, optional: true, description: 'Default `production`.' })
  deployment_target?: string;

  @FlagKey({ optional: true, nullable: true })
  feature_flag_id?: string | null;

  @Decimal({ min: 0, max: 100, optional: true, description: 'Share of traffic in percent. Default 0; above 0 needs the role `releaser`.' })
  rollout_percentage?: number;

  @Whole({ min: 1, max: 3650, optional: true, description: 'Days that it is kept once retired. Default 90.' })
  retention_days?: number;

  @Part(() => Serving, { optional: true, nullable: true })
  serving?: Serving | null;

  @Part(() => Objectives, { optional: true, nullable: true })
  objectives?: Objectives | null;
}

/** The revisions that an If-Match header names; the change is refused with STALE_REVISION unless the thing has one of them. */
export const IfMatch = (): PropertyDecorator => Wholes({ min: 1, optional: true });

export class ModelChange extends ModelRef {
  @Text({ min: 0, max: 1000, optional: true })
  description?: string;

  @Line({ max: 100, optional: true })
  deployment_target?: string;

  @FlagKey({ optional: true, nullable: true })
  feature_flag_id?: string | null;

  @Decimal({ min: 0, max: 100, optional: true, description: 'Share of traffic in percent. Needs the role `releaser`.' })
  rollout_percentage?: number;

  @Whole({ min: 1, max: 3650, optional: true })
  retention_days?: number;

  @Part(() => Serving, { optional: true, nullable: true })
  serving?: Serving | null;

  @Part(() => Objectives, { optional: true, nullable: true })
  objectives?: Objectives | null;

  @IfMatch()
  if_match?: number[];
}

export const minOverrideReason = 20;

export class StatusChange extends ModelRef {
  @OneOf(modelStatuses)
  to!: ModelStatus;

  @Text({ max: 1000, description: `Why; kept in the audit. With \`override\` at least ${minOverrideReason} characters.` })
  reason!: string;

  @Bool({ optional: true, description: 'true: promote although the gate is not met; what was not is kept in the audit. Default false.' })
  override?: boolean;

  @IfMatch()
  if_match?: number[];
}

/** The model that was moved, and the one that was stable before where the move deprecated it. */
export class StatusChanged {
  @Part(() => Model)
  model!: Model;

  @Part(() => Model, { nullable: true })
  replaced!: Model | null;
}

export const modelOrders = ['created_at', '-created_at', 'updated_at', '-updated_at', 'name', '-name'] as const;

export class ModelFilter extends PageRequest {
  @OneOf(modelStatuses, { optional: true, description: 'Filter by model status' })
  status?: ModelStatus;

  @OneOf(modelTypes, { optional: true, description: 'Filter by model type' })
  model_type?: ModelType;

  @Sport({ optional: true, description: 'Filter by sport' })
  sport?: string;

  @Text({ max: 200, optional: true, description: 'Only models whose name or description has this text; case does not matter.' })
  q?: string;

  @OneOf(modelOrders, { optional: true, description: 'A leading - is newest or last first. Default `-created_at`.' })
  order_by?: (typeof modelOrders)[number];
}

export class ModelPage extends pageOf(Model) {}

export class ModelHistoryRequest extends PageRequest {
  @ModelId()
  model_id!: string;
}

export class Types {
  @Texts({ max: 100, max_items: 100 })
  model_types!: string[];

  @Texts({ max: 100, max_items: 100 })
  model_statuses!: string[];
}

export class RetentionRequest {
  @Bool({ optional: true, description: 'true: only list what is due. Default false.' })
  dry_run?: boolean;
}

export class DueModel extends ModelRef {
  @Text({ max: 200 })
  name!: string;

  @Text({ max: 200 })
  version!: string;

  @Instant()
  retired_at!: string;

  @Whole()
  retention_days!: number;
}

export class RetentionResult {
  @Bool()
  dry_run!: boolean;

  @Parts(() => DueModel, { description: 'Retired models whose retention is over; removed unless `dry_run`.' })
  models!: DueModel[];
}

export const listModels = request('registry.list_models', { input: ModelFilter, output: ModelPage });
export const getModel = request('registry.get_model', { input: ModelRef, output: Model });
export const registerModel = request('registry.register_model', { input: NewModel, output: Model });
export const changeModel = request('registry.change_model', { input: ModelChange, output: Model });
export const changeStatus = request('registry.change_status', { input: StatusChange, output: StatusChanged });
export const modelHistory = request('registry.model_history', { input: ModelHistoryRequest, output: AuditPage });
export const runRetention = request('registry.run_retention', { input: RetentionRequest, output: RetentionResult });

export const modelsView = view<Model>('models', ({ model_id }) => model_id);
