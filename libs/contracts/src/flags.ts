import { inScope, isNarrowed, type Scope } from './access.js';
import { Bool, Instant, Json, JsonMap, type JsonValue, Line, OneOf, Part, singleLine, Text, Texts, Whole } from './fields.js';
import { pageOf, PageRequest } from './page.js';
import { FlagKey, IfMatch, type Model } from './registry.js';
import { Removed, request } from './request.js';
import { maxVariants, NewSplit, Split } from './split.js';
import { view } from './view.js';

export const flagStates = ['ENABLED', 'DISABLED'] as const;
export type FlagState = (typeof flagStates)[number];

export const maxFlags = 10_000;
export const maxTargetingBytes = 50_000;
export const maxMetadataBytes = 10_000;
export const maxVariantName = 100;

export class FlagRef {
  @FlagKey()
  flag_key!: string;
}

const isVariantName = (name: string): boolean => name.length <= maxVariantName && singleLine.test(name);

const Variants = (optional: boolean): PropertyDecorator =>
  JsonMap({
    min_keys: 1,
    max_keys: maxVariants,
    max_bytes: 50_000,
    optional,
    entries: {
      accepted: `variants whose names are one line of at most ${maxVariantName} characters, at most 50000 bytes of JSON`,
      schema: {},
      check: isVariantName,
    },
    description: 'Variant name → value; all values of one JSON type.',
    example: { on: true, off: false },
  });

const VariantName = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Line({
    max: maxVariantName,
    nullable: true,
    description: 'The variant where neither targeting nor split names one, and of a disabled flag. null: the code’s own default.',
    ...options,
  });

const Targeting = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Json({
    max_bytes: maxTargetingBytes,
    nullable: true,
    description: 'flagd’s JsonLogic: names a variant, or is null to leave it to the split.',
    example: { if: [{ '==': [{ var: 'country' }, 'CA'] }, 'on', null] },
    ...options,
  });

const VariantModels = (options: { optional?: boolean } = {}): PropertyDecorator =>
  JsonMap({
    max_keys: maxVariants,
    max_bytes: 20_000,
    entries: {
      accepted: 'variants, each with the model_id that it directs traffic to',
      schema: { type: 'string' },
      check: (name, model_id) => isVariantName(name) && typeof model_id === 'string' && /^[a-z0-9_]{1,64}$/.test(model_id),
    },
    description: 'Variant → the model that it directs traffic to. The flag is removed with the last of its models.',
    ...options,
  });

const Metadata = (options: { optional?: boolean } = {}): PropertyDecorator =>
  JsonMap({
    max_keys: 50,
    max_bytes: maxMetadataBytes,
    entries: {
      accepted: `names, each with a string, a number or a boolean, at most ${maxMetadataBytes} bytes of JSON`,
      schema: { type: ['string', 'number', 'boolean'] },
      check: (_, value) => ['string', 'number', 'boolean'].includes(typeof value),
    },
    description: 'Given with every evaluation over OFREP.',
    ...options,
  });

const Description = (options: { optional?: boolean } = {}): PropertyDecorator => Text({ min: 0, max: 1000, ...options });

const Owner = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Line({ max: 100, nullable: true, description: 'The team or person that answers for it.', example: 'ml_team', ...options });

const ExpiresAt = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Instant({
    nullable: true,
    description: 'When it should be gone; it goes on being evaluated. `GET /flags?expired=true` lists them.',
    ...options,
  });

const Tags = (options: { optional?: boolean } = {}): PropertyDecorator =>
  Texts({ max_items: 20, max: 50, pattern: singleLine, accepted: 'one line of 1 to 50 characters', ...options });

export class NewFlag extends FlagRef {
  @Description({ optional: true })
  description?: string;

  @OneOf(flagStates, { optional: true, description: 'DISABLED: everyone gets `default_variant`. Default ENABLED.' })
  state?: FlagState;

  @Variants(false)
  variants!: Record<string, JsonValue>;

  @VariantName()
  default_variant!: string | null;

  @Targeting({ optional: true })
  targeting?: JsonValue;

  @Part(() => NewSplit, { optional: true, nullable: true, description: 'Asked where targeting names no variant.' })
  split?: NewSplit | null;

  @Metadata({ optional: true })
  metadata?: Record<string, string | number | boolean>;

  @VariantModels({ optional: true })
  variant_models?: Record<string, string>;

  @Owner({ optional: true })
  owner?: string | null;

  @ExpiresAt({ optional: true })
  expires_at?: string | null;

  @Tags({ optional: true })
  tags?: string[];
}

export class FlagChange extends FlagRef {
  @Description({ optional: true })
  description?: string;

  @OneOf(flagStates, { optional: true })
  state?: FlagState;

  @Variants(true)
  variants?: Record<string, JsonValue>;

  @VariantName({ optional: true })
  default_variant?: string | null;

  @Targeting({ optional: true })
  targeting?: JsonValue;

  @Part(() => NewSplit, { optional: true, nullable: true })
  split?: NewSplit | null;

  @Metadata({ optional: true })
  metadata?: Record<string, string | number | boolean>;

  @VariantModels({ optional: true })
  variant_models?: Record<string, string>;

  @Owner({ optional: true })
  owner?: string | null;

  @ExpiresAt({ optional: true })
  expires_at?: string | null;

  @Tags({ optional: true })
  tags?: string[];

  @IfMatch()
  if_match?: number[];
}

export class Flag extends FlagRef {
  @Description()
  description!: string;

  @OneOf(flagStates)
  state!: FlagState;

  @Variants(false)
  variants!: Record<string, JsonValue>;

  @VariantName()
  default_variant!: string | null;

  @Targeting()
  targeting!: JsonValue;

  @Part(() => Split, { nullable: true })
  split!: Split | null;

  @Metadata()
  metadata!: Record<string, string | number | boolean>;

  @VariantModels()
  variant_models!: Record<string, string>;

  @Owner()
  owner!: string | null;

  @ExpiresAt()
  expires_at!: string | null;

  @Tags()
  tags!: string[];

  @Text({ max: 64, nullable: true, description: 'The rollout that alone changes `state`, `variants`, `split` and `variant_models` now.' })
  rollout_id!: string | null;

  @Instant()
  created_at!: string;

  @Instant()
  updated_at!: string;

  @Text({ max: 100 })
  created_by!: string;

  @Whole({ min: 1 })
  revision!: number;
}

export class FlagFilter extends PageRequest {
  @Text({ max: 64, optional: true, description: 'Only flags that direct traffic to this model.' })
  model_id?: string;

  @Text({ max: 100, optional: true, description: 'Only flags of this owner.' })
  owner?: string;

  @Text({ max: 50, optional: true, description: 'Only flags with this tag.' })
  tag?: string;

  @Bool({ optional: true, description: 'true: only flags whose `expires_at` is past; false: only the others.' })
  expired?: boolean;
}

export class FlagPage extends pageOf(Flag) {}

export class FlagRemoval extends FlagRef {
  @IfMatch()
  if_match?: number[];
}

export const listFlags = request('flags.list_flags', { input: FlagFilter, output: FlagPage });
export const getFlag = request('flags.get_flag', { input: FlagRef, output: Flag });
export const createFlag = request('flags.create_flag', { input: NewFlag, output: Flag });
export const changeFlag = request('flags.change_flag', { input: FlagChange, output: Flag });
export const removeFlag = request('flags.remove_flag', { input: FlagRemoval, output: Removed });

export const flagsView = view<Flag>('flags', ({ flag_key }) => flag_key);

/** Whether a caller may know of a flag: of all that it directs traffic to, or of none. A flag without models is everybody's. */
export function flagInScope(scope: Scope, { variant_models }: Flag, modelOf: (model_id: string) => Model | undefined): boolean {
  return (
    !isNarrowed(scope) ||
    Object.values(variant_models).every((model_id) => {
      const model = modelOf(model_id);
      return model !== undefined && inScope(scope, model);
    })
  );
}
