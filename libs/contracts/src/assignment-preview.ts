import { Decimal, JsonMap, type JsonValue, Part, Parts, Text, Texts, Whole } from './fields.js';
import { FlagRef } from './flags.js';
import { request } from './request.js';
import { NewSplit } from './split.js';

export const maxSample = 100_000;
export const defaultSample = 10_000;
export const maxShownMoves = 100;

const Sample = (): PropertyDecorator =>
  Whole({ min: 1, max: maxSample, optional: true, description: `Made-up targeting keys that are asked about. Default ${defaultSample}.` });

export class PresentAssignment extends FlagRef {
  @Sample()
  sample?: number;
}

export class AssignmentRequest extends FlagRef {
  @Part(() => NewSplit, {
    optional: true,
    nullable: true,
    description: 'What the split would become; null: none. Default: the present one.',
  })
  split?: NewSplit | null;

  @Texts({
    min_items: 1,
    max_items: 1_000,
    max: 1_000,
    optional: true,
    description: 'The targeting keys to ask about, instead of a sample.',
  })
  targeting_keys?: string[];

  @Sample()
  sample?: number;

  @JsonMap({ max_keys: 1000, max_bytes: 100_000, optional: true, description: 'What targeting may ask for, the same for every key.' })
  context?: Record<string, JsonValue>;
}

const Variant = (): PropertyDecorator => Text({ max: 100, nullable: true, description: 'null: the code’s own default, or an error.' });

export class Share {
  @Variant()
  variant!: string | null;

  @Whole()
  before!: number;

  @Whole()
  after!: number;
}

export class Move {
  @Text({ max: 1_000 })
  targeting_key!: string;

  @Variant()
  from!: string | null;

  @Variant()
  to!: string | null;
}

export class AssignmentPreview extends FlagRef {
  @Whole({ description: 'Targeting keys asked about.' })
  keys!: number;

  @Whole({ description: 'Of these, the keys whose variant changes.' })
  moved!: number;

  @Decimal({ min: 0, max: 100, description: '`moved` in percent.' })
  moved_percent!: number;

  @Decimal({ min: 0, max: 100, description: 'What the change of shares alone moves, in percent: no split could move fewer.' })
  unavoidable_percent!: number;

  @Parts(() => Share, { description: 'Keys by variant, in the order of the variants’ names.' })
  variants!: Share[];

  @Parts(() => Move, { description: `Who moves: the first ${maxShownMoves} of a sample, all of the keys that were asked for.` })
  moves!: Move[];
}

export const previewAssignment = request('flags.preview_assignment', {
  input: AssignmentRequest,
  output: AssignmentPreview,
  timeout_ms: 10_000,
});
