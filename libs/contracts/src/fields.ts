import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import { registerDecorator, ValidateIf, ValidateNested } from 'class-validator';
import { instantMs } from './instant.js';

/** A class whose instances are plain data, decorated by the fields below. */
export type DataClass<T extends object = object> = new () => T;

/** Any JSON. Not spelled out to the bottom: TypeORM's types do not end on a recursive type. */
export type JsonValue = string | number | boolean | null | unknown[] | { [key: string]: unknown };

/** A JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1), as far as a field needs one. */
export type FieldSchema = Record<string, unknown>;

/** How a query string's text becomes the field's type. */
type FromText = 'text' | 'number' | 'boolean';

export interface Field {
  name: string;
  required: boolean;
  /** A phrase that completes "accepted: …". */
  accepted: string;
  schema: FieldSchema;
  description?: string;
  /** The data class of a nested field, or of its items where `schema` is an array's. */
  part?: () => DataClass;
  nullable: boolean;
  fromText: FromText;
  /** A list whose items `parse` leaves to whoever takes it: see `Items`. */
  itemwise: boolean;
  check: (value: unknown) => boolean;
}

interface FieldOptions {
  description?: string;
  example?: unknown;
  /** May be left out of an input. */
  optional?: boolean;
  /** May be null. */
  nullable?: boolean;
}

interface FieldRule {
  accepted: string;
  schema: FieldSchema;
  part?: () => DataClass;
  fromText?: FromText;
  itemwise?: boolean;
  check(value: unknown): boolean;
}

const fieldsByClass = new WeakMap<object, Map<string, Field>>();
/** With those of the parents; forgotten when a class gets another field. */
const allFieldsByClass = new WeakMap<object, Map<string, Field>>();

/** Every field of a data class, its parents' first. */
export function fieldsOf(target: DataClass): ReadonlyMap<string, Field> {
  const known = allFieldsByClass.get(target);
  if (known) return known;
  const fields = new Map<string, Field>();
  const chain: object[] = [];
  for (let type: object | null = target; typeof type === 'function'; type = Object.getPrototypeOf(type) as object | null)
    chain.unshift(type);
  for (const type of chain) for (const [name, field] of fieldsByClass.get(type) ?? []) fields.set(name, field);
  allFieldsByClass.set(target, fields);
  return fields;
}

function field(rule: FieldRule, options: FieldOptions, nested: PropertyDecorator[] = []): PropertyDecorator {
  const { optional = false, nullable = false, description, example } = options;
  const accepted = nullable ? `${rule.accepted}, or null` : rule.accepted;
  const check = (value: unknown): boolean => (nullable && value === null) || rule.check(value);
  return (prototype, key) => {
    const name = String(key);
    const own = fieldsByClass.get(prototype.constructor) ?? new Map<string, Field>();
    own.set(name, {
      name,
      required: !optional,
      accepted,
      schema: { ...rule.schema, ...(description && { description }), ...(example !== undefined && { examples: [example] }) },
      description,
      part: rule.part,
      nullable,
      fromText: rule.fromText ?? 'text',
      itemwise: rule.itemwise ?? false,
      check,
    });
    fieldsByClass.set(prototype.constructor, own);
    allFieldsByClass.delete(prototype.constructor);
    registerDecorator({
      name: 'field',
      target: prototype.constructor,
      propertyName: name,
      validator: { validate: check, defaultMessage: () => accepted },
    });
    if (optional || nullable) {
      ValidateIf((_, value) => !((optional && value === undefined) || (nullable && value === null)))(prototype, key);
    }
    for (const decorate of nested) decorate(prototype, key);
  };
}

const isText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\u0000') && value.isWellFormed();
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

interface TextOptions extends FieldOptions {
  min?: number;
  max: number;
  pattern?: RegExp;
  /** Says in words what the pattern, or the rule, means. */
  accepted?: string;
  /** What no pattern can say. It is not in the schema, so for the environment's variables alone. */
  rule?: (text: string) => boolean;
}

/** A string of min..max characters without NUL. */
export function Text(options: TextOptions): PropertyDecorator {
  const { min = 1, max, pattern, rule } = options;
  const text = textRule(min, max, pattern, options.accepted);
  return field({ ...text, check: (value) => text.check(value) && (!rule || rule(value as string)) }, options);
}

/** One line that can be seen: neither control characters nor line breaks, and not only spaces and what has no shape. */
export const singleLine = /^[^\p{Cc}\u2028\u2029]*[^\p{Z}\p{C}][^\p{Cc}\u2028\u2029]*$/u;
export const singleLineAccepted = (max: number): string =>
  `one line of 1 to ${max} characters, not only spaces, without control characters`;

/** A name or the like: a single line of 1..max characters with something to see. */
export const Line = (options: FieldOptions & { max: number }): PropertyDecorator =>
  Text({ ...options, pattern: singleLine, accepted: singleLineAccepted(options.max) });

function textRule(min: number, max: number, pattern?: RegExp, accepted?: string): FieldRule {
  return {
    accepted: accepted ?? `a string of ${min} to ${max} characters without NUL`,
    schema: { type: 'string', minLength: min, maxLength: max, ...(pattern && { pattern: pattern.source }) },
    check: (value) => isText(value) && value.length >= min && value.length <= max && (!pattern || pattern.test(value)),
  };
}

/** A finite number in min..max. */
export function Decimal(options: FieldOptions & { min: number; max: number }): PropertyDecorator {
  const { min, max } = options;
  return field(
    {
      accepted: `a number from ${min} to ${max}`,
      schema: { type: 'number', minimum: min, maximum: max },
      fromText: 'number',
      check: (value) => typeof value === 'number' && value >= min && value <= max,
    },
    options,
  );
}

/** A whole number in min..max. */
export function Whole(options: FieldOptions & { min?: number; max?: number } = {}): PropertyDecorator {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  return field(
    {
      accepted: `a whole number from ${min} to ${max}`,
      schema: { type: 'integer', minimum: min, maximum: max },
      fromText: 'number',
      check: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    },
    options,
  );
}

/** A list of whole numbers from min on. */
export function Wholes(options: FieldOptions & { min?: number } = {}): PropertyDecorator {
  const { min = 0 } = options;
  return field(
    {
      accepted: `a list of whole numbers from ${min}`,
      schema: { type: 'array', items: { type: 'integer', minimum: min } },
      check: (value) => Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && (entry as number) >= min),
    },
    options,
  );
}

/** A list of so many finite numbers. */
export function Decimals(options: FieldOptions & { length: number }): PropertyDecorator {
  const { length } = options;
  return field(
    {
      accepted: `a list of ${length} numbers`,
      schema: { type: 'array', items: { type: 'number' }, minItems: length, maxItems: length },
      check: (value) => Array.isArray(value) && value.length === length && value.every(Number.isFinite),
    },
    options,
  );
}

/** `true` or `false`. */
export function Bool(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { accepted: 'true or false', schema: { type: 'boolean' }, fromText: 'boolean', check: (value) => typeof value === 'boolean' },
    options,
  );
}

/** One of a fixed list of strings. */
export function OneOf(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  return field(
    {
      accepted: `one of ${values.join(', ')}`,
      schema: { type: 'string', enum: [...values] },
      check: (value) => typeof value === 'string' && values.includes(value),
    },
    options,
  );
}

/** An RFC 3339 time, which the calendar has. */
export const isInstant = (value: unknown): value is string => !Number.isNaN(instantMs(value));

export function Instant(options: FieldOptions = {}): PropertyDecorator {
  return field(
    {
      accepted: 'an RFC 3339 time such as 2025-01-20T15:30:00Z',
      schema: { type: 'string', format: 'date-time' },
      check: isInstant,
    },
    options,
  );
}

/** A list of strings, min_items..max_items long. */
export function Texts(
  options: FieldOptions & { min_items?: number; max_items: number; max: number; pattern?: RegExp; accepted?: string },
): PropertyDecorator {
  const { min_items = 0, max_items, max, pattern } = options;
  const item = textRule(1, max, pattern, options.accepted);
  return field(
    {
      accepted: `a list of ${min_items} to ${max_items} items, each ${item.accepted}`,
      schema: { type: 'array', items: item.schema, minItems: min_items, maxItems: max_items },
      check: (value) =>
        Array.isArray(value) && value.length >= min_items && value.length <= max_items && value.every((entry) => item.check(entry)),
    },
    options,
  );
}

/** Another data class as a value. */
export function Part(type: () => DataClass, options: FieldOptions = {}): PropertyDecorator {
  return field({ accepted: 'an object', schema: {}, part: type, check: isObject }, options, [ValidateNested(), Type(type)]);
}

/** A list of another data class, min_items..max_items long. */
export function Parts(type: () => DataClass, options: FieldOptions & { min_items?: number; max_items?: number } = {}): PropertyDecorator {
  const { min_items = 0, max_items = Number.MAX_SAFE_INTEGER } = options;
  const bounded = max_items < Number.MAX_SAFE_INTEGER;
  return field(
    {
      accepted: bounded ? `a list of ${min_items} to ${max_items} objects` : 'a list of objects',
      schema: { type: 'array', ...(bounded && { minItems: min_items, maxItems: max_items }) },
      part: type,
      check: (value) => Array.isArray(value) && value.length >= min_items && value.length <= max_items && value.every(isObject),
    },
    options,
    [ValidateNested({ each: true }), Type(type)],
  );
}

/**
 * A list of min_items..max_items of another data class, whose items are judged one by one by whoever takes it, with `itemProblem`: a bad one
 * is no reason to refuse the others, and there are too many of them for class-validator.
 */
export function Items(type: () => DataClass, options: FieldOptions & { min_items: number; max_items: number }): PropertyDecorator {
  const { min_items, max_items } = options;
  return field(
    {
      accepted: `a list of ${min_items} to ${max_items} items`,
      schema: { type: 'array', minItems: min_items, maxItems: max_items },
      part: type,
      itemwise: true,
      check: (value) => Array.isArray(value) && value.length >= min_items && value.length <= max_items,
    },
    options,
  );
}

const maxJsonDepth = 32;

/** At most 32 levels deep: what may be walked by recursion. */
export const isShallow = (value: unknown, depth = 0): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth <= maxJsonDepth && Object.values(value).every((entry) => isShallow(entry, depth + 1)));

/** Plain JSON that PostgreSQL's jsonb and every JSON parser can hold: no NUL, no lone surrogate, at most 32 levels deep. */
export function isPlainJson(value: unknown, depth = 0): value is JsonValue {
  if (depth > maxJsonDepth) return false;
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value === 'string') return isText(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((entry) => isPlainJson(entry, depth + 1));
  return isObject(value) && Object.entries(value).every(([key, entry]) => isText(key) && isPlainJson(entry, depth + 1));
}

// class-transformer would walk into free JSON and rebuild it; it is passed on untouched instead.
const untouched: PropertyDecorator = (prototype, key) =>
  Transform(({ obj }: { obj: Record<string, unknown> }) => obj[String(key)])(prototype, key);

/** Any JSON value whose text is at most max_bytes long; null only where the field is nullable. */
export function Json(options: FieldOptions & { max_bytes: number }): PropertyDecorator {
  const { max_bytes } = options;
  return field(
    {
      accepted: `any JSON of at most ${max_bytes} bytes and ${maxJsonDepth} levels, without NUL${options.nullable ? '' : ', other than null'}`,
      schema: {},
      check: (value) => value !== null && isPlainJson(value) && Buffer.byteLength(JSON.stringify(value)) <= max_bytes,
    },
    options,
    [untouched],
  );
}

interface JsonMapOptions extends FieldOptions {
  min_keys?: number;
  max_keys: number;
  max_bytes: number;
  /** What every key and value must be besides plain JSON; `accepted` completes "an object of n to m …". */
  entries?: { accepted: string; schema: FieldSchema; check: (name: string, value: unknown) => boolean };
}

/** An object with free keys and JSON values: max_keys at most, its text at most max_bytes long. */
export function JsonMap(options: JsonMapOptions): PropertyDecorator {
  const { min_keys = 0, max_keys, max_bytes, entries } = options;
  const accepted = entries?.accepted ?? `keys, at most ${max_bytes} bytes of JSON and ${maxJsonDepth} levels, without NUL`;
  return field(
    {
      accepted: `an object of ${min_keys} to ${max_keys} ${accepted}`,
      schema: { type: 'object', additionalProperties: entries?.schema ?? true, ...(min_keys > 0 && { minProperties: min_keys }) },
      check: (value) =>
        isObject(value) &&
        isPlainJson(value) &&
        Object.keys(value).length >= min_keys &&
        Object.keys(value).length <= max_keys &&
        Buffer.byteLength(JSON.stringify(value)) <= max_bytes &&
        (!entries || Object.entries(value).every(([name, entry]) => entries.check(name, entry))),
    },
    options,
    [untouched],
  );
}

/** An object from free names to whole numbers, such as error types and how often each came. */
export function Counts(options: FieldOptions = {}): PropertyDecorator {
  return field(
    {
      accepted: 'an object of counts',
      schema: { type: 'object', additionalProperties: { type: 'integer', minimum: 0 } },
      check: (value) => isObject(value) && Object.values(value).every((count) => Number.isSafeInteger(count)),
    },
    options,
    [untouched],
  );
}
