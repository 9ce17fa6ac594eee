import { type DataClass, type Field, fieldsOf, singleLine } from '#contracts/fields.js';

/** A value that a field must refuse, as raw JSON (a body) or as the text of a query parameter. */
export interface BadValue {
  what: string;
  raw: string;
}

const json = (what: string, value: unknown): BadValue => ({ what, raw: JSON.stringify(value) });
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

const hugeNumbers: BadValue[] = ['1e308', '-1e308', '1e999', '-1e999'].map((raw) => ({ what: raw, raw }));
const nul = { what: 'NUL', raw: '"a\\u0000b"' };
const loneSurrogate = { what: 'a lone surrogate', raw: '"a\\ud800b"' };
const badInstants = [
  'yesterday',
  '2025-02-30T00:00:00Z',
  '2025-13-01T00:00:00Z',
  '2025-01-01T25:00:00Z',
  '2025-01-01T24:00:00Z',
  '2025-01-01',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59-23:59',
  '2025-01-01T00:00:00',
];

/** Bad values of a field of a JSON body, by its declaration alone. Free JSON takes any type, so that only its size and depth are wrong. */
export function badJson(field: Field): BadValue[] {
  const { enum: choices, format } = field.schema;
  const type = field.schema.type as string | undefined;
  if (field.part) return field.schema.type === 'array' ? badParts(field) : [...wrongTypes('object'), ...unlessNullable(field)];
  if (type === undefined) return [...badFreeJson(field), ...unlessNullable(field)];
  if (type === 'object') {
    const empty = field.schema.minProperties === undefined ? [] : [json('no key', {})];
    return [...wrongTypes('object'), ...unlessNullable(field), ...badFreeJson(field).map(inObject), ...empty];
  }
  const bad = [...wrongTypes(type), ...unlessNullable(field)];
  if (type === 'boolean') return bad;
  if (type === 'number' || type === 'integer') return [...bad, ...badNumbers(field), ...hugeNumbers];
  if (type === 'array') return [...bad, ...badLists(field)];
  if (choices) return [...bad, json('no choice', 'no_such_choice'), json('empty', ''), json('a property of objects', 'toString'), nul];
  if (format) return [...bad, ...badInstants.map((text) => json(text, text)), nul];
  return [...bad, ...badTexts(field), nul, loneSurrogate];
}

/** Bad values of a query parameter: every one is a text, so that a free text takes all but its length and NUL. */
export function badQuery(field: Field): BadValue[] {
  const { type, enum: choices } = field.schema;
  const texts = (...all: string[]): BadValue[] => all.map((raw) => ({ what: JSON.stringify(raw), raw }));
  if (type === 'boolean') return texts('', 'yes', 'TRUE', '1', 'null', 'true ', '\u0000');
  if (type === 'number' || type === 'integer') {
    const outside = badNumbers(field).map(({ raw }) => raw);
    const notNumbers = ['', ' ', 'NaN', 'Infinity', '-Infinity', '0x10', '1_000', '1,5', 'abc', '1e308', '-1e308', '1e999', '٣', '5\u0000'];
    return texts(...outside, ...notNumbers, '1'.repeat(10_000));
  }
  if (choices) return texts('', 'no_such_choice', 'toString', 'STABLE ', '\u0000');
  return texts(...badTexts(field).map(({ raw }) => JSON.parse(raw) as string), 'a\u0000b');
}

function wrongTypes(type: string): BadValue[] {
  const examples: [string, unknown][] = [
    ['string', 'x'],
    ['number', 7],
    ['boolean', true],
    ['array', []],
    ['object', {}],
  ];
  const mine = type === 'integer' ? 'number' : type;
  return examples.filter(([other]) => other !== mine).map(([other, value]) => json(`a ${other}`, value));
}

const unlessNullable = ({ nullable }: Field): BadValue[] => (nullable ? [] : [json('null', null)]);

function badNumbers({ schema }: Field): BadValue[] {
  const [minimum = 0, maximum = 0] = [numberOf(schema.minimum), numberOf(schema.maximum)];
  const below = minimum - (Math.abs(minimum) > 1e15 ? Math.abs(minimum) : 1);
  const above = maximum + (Math.abs(maximum) > 1e15 ? Math.abs(maximum) : 1);
  return [
    json('below the range', below),
    json('above the range', above),
    ...(schema.type === 'integer' ? [json('a fraction', minimum + 0.5)] : []),
  ];
}

function badTexts({ schema }: Field): BadValue[] {
  const [minLength = 0, maxLength = 0] = [numberOf(schema.minLength), numberOf(schema.maxLength)];
  const bad = [json('too long', 'a'.repeat(maxLength + 1)), json('far too long', 'a'.repeat(9_000))];
  if (minLength > 0) bad.push(json('empty', ''));
  if (schema.pattern === singleLine.source) {
    for (const text of [' ', '\u00a0\t', 'MLB\n', 'a\tb', 'a\u001bb', 'a\u2028b', '\u200b']) bad.push(json(JSON.stringify(text), text));
  } else if (schema.pattern !== undefined) {
    for (const text of [' ', 'MLB\n', 'a b', "' OR 1=1 --", 'naïve 模型', '../../etc/passwd']) bad.push(json(JSON.stringify(text), text));
  }
  return bad;
}

function badLists({ schema }: Field): BadValue[] {
  const items = schema.items as { maxLength: number };
  const [minItems = 0, maxItems = 0] = [numberOf(schema.minItems), numberOf(schema.maxItems)];
  const bad = [
    json('too many', new Array(maxItems + 1).fill('A')),
    json('a number in it', [7]),
    json('null in it', [null]),
    json('an empty text in it', ['']),
    json('a list in it', [['A']]),
    json('too long a text in it', ['A'.repeat(items.maxLength + 1)]),
    { what: 'NUL in it', raw: '["A\\u0000"]' },
  ];
  return minItems > 0 ? [...bad, json('too few', [])] : bad;
}

/** Items that are judged one by one are no reason to refuse the list: test/inference-batch.spec.ts. */
function badParts({ schema, nullable, itemwise }: Field): BadValue[] {
  const [minItems = 0, maxItems] = [numberOf(schema.minItems), numberOf(schema.maxItems)];
  return [
    ...wrongTypes('array'),
    ...(nullable ? [] : [json('null', null)]),
    ...(itemwise ? [] : [json('a number in it', [7]), json('null in it', [null]), json('a list in it', [[]])]),
    ...(minItems > 0 ? [json('too few', [])] : []),
    ...(maxItems === undefined ? [] : [json('too many', new Array(maxItems + 1).fill({}))]),
  ];
}

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

const badFreeJson = ({ accepted }: Field): BadValue[] => [
  { what: '40 levels', raw: nested(40) },
  { what: '100,000 levels', raw: nested(100_000) },
  json('too large', 'x'.repeat(Number(/at most (\d+) bytes/.exec(accepted)?.[1] ?? 300_000))),
  nul,
  loneSurrogate,
  { what: 'NUL far inside', raw: '{"a":[{"b":"\\u0000"}]}' },
  { what: 'NUL in a key', raw: '{"a\\u0000":1}' },
  { what: 'an endless number', raw: '1e999' },
];

const inObject = ({ what, raw }: BadValue): BadValue => ({ what: `${what} in it`, raw: `{"x":${raw}}` });

/** Every field of a body, also of its parts, with the path to it: `['serving', 'url']`, `['expectations', 0, 'op']`. */
export function bodyFields(
  type: DataClass,
  skip: string[] = [],
  at: (string | number)[] = [],
): { path: (string | number)[]; field: Field }[] {
  return [...fieldsOf(type).values()]
    .filter(({ name }) => !skip.includes(name))
    .flatMap((field) => {
      const path = [...at, field.name];
      const inside = field.schema.type === 'array' ? [...path, 0] : path;
      return [{ path, field }, ...(field.part && !field.itemwise ? bodyFields(field.part(), [], inside) : [])];
    });
}
