import { AppError, type FieldProblem } from '#contracts/errors.js';
import { type FlagChange, maxTargetingBytes, NewFlag } from '#contracts/flags.js';
import { type ImportFormat, type Loss, maxLosses } from '#contracts/flag-import.js';
import { parse } from '#contracts/parse.js';
import { flagProblems, splitFrom } from '../flag-rules.js';
import { type Candidate, type Imported, isWithin, type Json } from './candidate.js';
import { fromFlagd } from './flagd-document.js';
import { fromGrowthbook } from './growthbook-document.js';
import { fromUnleash } from './unleash-document.js';

const readers: Record<ImportFormat, (document: Json) => Imported> = { flagd: fromFlagd, unleash: fromUnleash, growthbook: fromGrowthbook };

export const readDocument = (format: ImportFormat, document: Json): Imported => readers[format](document);

/** A candidate as a flag that could be written; null with the reasons where it could not. */
export function importable(candidate: Candidate, evaluators: readonly string[]): { flag: NewFlag | null; lost: Loss[] } {
  const { flag_key, lost } = candidate;
  if (candidate.flag === null) return { flag: null, lost: shortened(lost) };
  if (!isWithin(candidate.flag.targeting, maxTargetingBytes)) return { flag: null, lost: [tooLarge('targeting'), ...shortened(lost)] };
  try {
    const flag = parse(NewFlag, { flag_key, ...candidate.flag });
    const { variants, default_variant, state = 'ENABLED', targeting = null, variant_models = {} } = flag;
    const split = splitFrom(flag.split ?? null, null, flag_key);
    const problems = flagProblems({ flag_key, variants, default_variant, state, targeting, variant_models, split }, evaluators);
    return problems.length ? { flag: null, lost: shortened([...problems.map(lossOf), ...lost]) } : { flag, lost: shortened(lost) };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'INVALID_INPUT') throw error;
    const { fields } = error.details as { fields: FieldProblem[] };
    return { flag: null, lost: shortened([...fields.map(lossOf), ...lost]) };
  }
}

/** What an import changes of a flag that is there: its definition, not who owns it, when it expires and what it directs traffic to. */
export type ImportedChange = Pick<FlagChange, 'description' | 'state' | 'variants' | 'default_variant' | 'targeting' | 'metadata'>;

export function changeFrom({ description, state, variants, default_variant, targeting, metadata }: NewFlag): ImportedChange {
  return {
    ...(description !== undefined && { description }),
    ...(metadata !== undefined && { metadata }),
    ...{ state: state ?? 'ENABLED', variants, default_variant, targeting: targeting ?? null },
  };
}

/** With everything in it that it refers to. */
export const tooLarge = (field: string): Loss => ({ field, reason: `larger than ${maxTargetingBytes} bytes when it is written out` });

export const lossOf = ({ field, accepted }: FieldProblem): Loss => ({
  field: field.slice(0, 200),
  reason: `accepted: ${accepted}`.slice(0, 500),
});

const shortened = (lost: Loss[]): Loss[] =>
  lost.slice(0, maxLosses).map(({ field, reason }) => ({ field: field.slice(0, 200), reason: reason.slice(0, 500) }));
