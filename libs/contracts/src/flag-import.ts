import { Bool, Json, type JsonValue, OneOf, Parts, Text } from './fields.js';
import { request } from './request.js';

export const importFormats = ['flagd', 'unleash', 'growthbook'] as const;
export type ImportFormat = (typeof importFormats)[number];

export const maxImportedFlags = 1_000;
export const maxLosses = 20;

export class FlagImport {
  @OneOf(importFormats, {
    description:
      '`flagd`: a flag definition file. `unleash`: what GET /api/client/features answers. `growthbook`: what its SDK endpoint answers.',
  })
  format!: ImportFormat;

  @Json({ max_bytes: 700_000, description: `The document, with at most ${maxImportedFlags} flags.` })
  document!: JsonValue;

  @Bool({ optional: true, description: 'true: only say what would be. Default false.' })
  dry_run?: boolean;
}

/** What of a flag the other system has and this one has not, or has differently. */
export class Loss {
  @Text({ max: 200, description: 'Where in the document, from the flag on.' })
  field!: string;

  @Text({ max: 500 })
  reason!: string;
}

export const importOutcomes = ['created', 'changed', 'unchanged', 'refused'] as const;
export type ImportOutcome = (typeof importOutcomes)[number];

export class ImportedFlag {
  @Text({ min: 0, max: 1_000, description: 'As the document calls it; empty where that gives it no name.' })
  flag_key!: string;

  @OneOf(importOutcomes, { description: '`refused`: nothing of it was taken; `lost` says why.' })
  outcome!: ImportOutcome;

  @Parts(() => Loss, { description: `What could not be carried over, the first ${maxLosses}.` })
  lost!: Loss[];
}

export class ImportedEvaluator {
  @Text({ min: 0, max: 1_000, description: 'As for flags.' })
  name!: string;

  @OneOf(importOutcomes)
  outcome!: ImportOutcome;

  @Parts(() => Loss)
  lost!: Loss[];
}

export class ImportReport {
  @Bool()
  dry_run!: boolean;

  @Parts(() => ImportedFlag, { description: 'In the order of their keys.' })
  flags!: ImportedFlag[];

  @Parts(() => ImportedEvaluator)
  evaluators!: ImportedEvaluator[];
}

// A thousand flags are a few thousand statements.
export const importFlags = request('flags.import_flags', { input: FlagImport, output: ImportReport, timeout_ms: 30_000 });
