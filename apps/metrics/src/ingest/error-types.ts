import { type ErrorTypeRule, errorTypeOf, isErrorType } from './error-type.js';

const maxRules = 20;
const maxWords = 20;
const minWordLength = 2;
const maxWordLength = 64;
/** Texts that are remembered; each shorter than what is kept of a longer one, which would keep the message it was cut from in memory. */
const maxKnown = 1_000;
const maxKnownLength = 511;

export const errorTypeRulesAccepted =
  `a JSON list of at most ${maxRules} rules such as [{"type":"feature_store_error","words":["feature store","feast"]}]: ` +
  `the type in snake_case of at most 64 characters, 1 to ${maxWords} words of ${minWordLength} to ${maxWordLength} characters`;

/** Reads rules as the environment has them; an empty text has none. Throws SyntaxError or RangeError where it is not what is accepted. */
export function readErrorTypeRules(text: string): ErrorTypeRule[] {
  if (text === '') return [];
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || list.length > maxRules || !list.every(isRule)) throw new RangeError(errorTypeRulesAccepted);
  return list.map(({ type, words }) => ({ type, words: words.map((word) => word.toLowerCase()) }));
}

export function isErrorTypeRules(text: string): boolean {
  try {
    readErrorTypeRules(text);
    return true;
  } catch {
    return false;
  }
}

function isRule(value: unknown): value is ErrorTypeRule {
  if (typeof value !== 'object' || value === null) return false;
  const { type, words, ...unknown } = value as Partial<Record<string, unknown>>;
  return (
    typeof type === 'string' &&
    isErrorType(type) &&
    Array.isArray(words) &&
    words.length >= 1 &&
    words.length <= maxWords &&
    words.every(isWord) &&
    Object.keys(unknown).length === 0
  );
}

const isWord = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= maxWordLength && value.trim().length >= minWordLength;

/** The types of errors under some rules. A model that fails sends the same text over and over: the latest texts are not read again. */
export class ErrorTypes {
  private readonly known = new Map<string, string>();

  constructor(private readonly own: readonly ErrorTypeRule[] = []) {}

  /** As `errorTypeOf`. */
  of(error: string | undefined, error_type?: string): string {
    if (error === undefined || error_type !== undefined || error.length > maxKnownLength) return errorTypeOf(error, error_type, this.own);
    const before = this.known.get(error);
    if (before !== undefined) return before;
    const type = errorTypeOf(error, undefined, this.own);
    // Emptied at once: what comes often is back at once, and texts that never come again cost least.
    if (this.known.size >= maxKnown) this.known.clear();
    this.known.set(error, type);
    return type;
  }
}
