import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import { isPlainJson } from '#contracts/fields.js';
import { compilePattern, maxTextLength } from './linear-pattern.js';

const maxSchemaBytes = 10_000;
const maxValueBytes = 100_000;

export const acceptedSchema = `a JSON Schema (draft 2020-12) of at most ${maxSchemaBytes} bytes, without references, format and uniqueItems`;

/**
 * What would let a small schema take long: references may double the work with each of them or never end, unique items are compared each with
 * each. Without them the work is at most schema × value, both bounded. Identifiers have no use without references.
 */
const refused = new Set([
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  '$id',
  '$anchor',
  '$dynamicAnchor',
  '$defs',
  'definitions',
  'uniqueItems',
]);

/** Ajv takes what they print as for what they are. */
const linearPatterns = Object.assign(
  (pattern: string) => {
    const matches = compilePattern(pattern);
    return { test: (text: string): boolean => text.length <= maxTextLength && matches(text), toString: () => pattern };
  },
  { code: 'never written out' },
);

/** Holds schemas against what schemas may be. */
const rules = new Ajv2020({ logger: false });

/** Strict in what is a keyword, so that a mistyped one is told; `ownProperties`: what objects inherit is no property of an answer. */
const options: Options = {
  ...{ meta: false, validateSchema: false },
  logger: false,
  ...{ strict: true, strictTypes: false, strictTuples: false, strictRequired: false, ownProperties: true },
  code: { regExp: linearPatterns },
};

/** Compiled once for each expectation: its schema is the same object as long as a case is run. */
const compiled = new WeakMap<object, ValidateFunction>();

function compile(schema: object): ValidateFunction {
  const known = compiled.get(schema);
  if (known) return known;
  if (!rules.validateSchema(schema)) throw new Error(`schema is invalid: ${rules.errorsText(rules.errors)}`);
  // An instance of its own: one for all would keep of every schema what it was compiled into.
  const validate = new Ajv2020(options).compile(schema);
  compiled.set(schema, validate);
  return validate;
}

function refusedIn(schema: unknown): string | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const own = Array.isArray(schema) ? undefined : Object.keys(schema).find((key) => refused.has(key));
  return own ?? Object.values(schema).map(refusedIn).find(Boolean);
}

/** Why a value cannot be used as a schema; null when it can. */
export function schemaProblem(schema: unknown): string | null {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema) || !isPlainJson(schema)) return 'it is no object';
  if (Buffer.byteLength(JSON.stringify(schema)) > maxSchemaBytes) return 'it is too large';
  const keyword = refusedIn(schema);
  if (keyword) return `it has ${keyword}`;
  try {
    compile(schema);
    return null;
  } catch (error) {
    return (error as Error).message.slice(0, 300);
  }
}

/** Why a value does not fit a schema that has no problem; null when it does. */
export function schemaFailure(schema: unknown, value: unknown): string | null {
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size > maxValueBytes) return `is larger than the ${maxValueBytes} bytes that are held against a schema`;
  const validate = compile(schema as object);
  if (validate(value)) return null;
  const [first] = validate.errors ?? [];
  return `does not fit the schema: ${first?.instancePath ? `${first.instancePath} ` : ''}${first?.message ?? ''}`.slice(0, 500);
}
