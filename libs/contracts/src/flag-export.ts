import { Json, type JsonValue, Parts, Text } from './fields.js';
import { FlagRef } from './flags.js';

export class ExportLoss extends FlagRef {
  @Text({ max: 500 })
  reason!: string;
}

export class FlagExport {
  @Json({ max_bytes: Number.MAX_SAFE_INTEGER, description: 'A flagd flag definition file with all flags and shared evaluators.' })
  document!: JsonValue;

  @Parts(() => ExportLoss, { description: 'What flagd has no like of.' })
  lost!: ExportLoss[];
}
