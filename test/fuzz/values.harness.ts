import { fc } from '#testing/property.js';
import { type Description, resolved, type Schema } from './description.harness.js';
import { kindOfId } from './dictionary.harness.js';
import { Known, type Tree } from './tree.harness.js';

/** Texts of every form that a pattern of the description may ask for. */
const texts = [
  ...['x', 'a', 'on', 'off', 'Some text, with a comma', 'naïve 模型 💥', 'MLB', 'NBA', '1.0.0', '1h', '7d', 'user-1', "O'Neil; --"],
  ...['info', 'warning', 'critical', 'passed_run', 'no_high_regression', 'latency', 'abc', '$', '$.score', '7', 'timeout_error'],
  ...['http://127.0.0.1:9/', 'models.fuzz', 'long enough to be a reason or a secret', 'a'.repeat(20), 'b'.repeat(100), 'c'.repeat(1_000)],
  ...['00000000-0000-4000-8000-000000000000', 'rollout_000000000000', 'f'.repeat(64), 'validation_none_1', 'k_0'],
];
const instants = ['2025-01-20T15:30:00Z', '2000-02-29T23:59:59.999Z', '2099-12-31T00:00:00+05:30', '2026-11-27T10:00:00.123456Z'];

export type Dictionary = Record<string, fc.Arbitrary<Tree>>;

/** Values that fit a schema, of which those are preferred that are at its borders or that the dictionary has. */
export class Values {
  constructor(
    private readonly description: Description,
    private readonly dictionary: Dictionary,
  ) {}

  /** Of a field or parameter, which may have a meaning that its schema does not tell. */
  named(operation: string, name: string, schema: Schema): fc.Arbitrary<Tree> {
    const listed = this.dictionary[`${operation}.${name}`] ?? this.dictionary[name];
    const kind = kindOfId(operation, name);
    const fitting = this.of(operation, schema);
    if (listed) return fc.oneof({ arbitrary: listed, weight: 6 }, { arbitrary: fitting, weight: 1 });
    if (!kind) return fitting;
    return fc.oneof(
      { arbitrary: fc.constantFrom<Tree>(new Known(kind), new Known(kind), new Known(kind, 1)), weight: 8 },
      { arbitrary: fitting, weight: 1 },
    );
  }

  private of(operation: string, given: Schema): fc.Arbitrary<Tree> {
    const schema = resolved(given, this.description);
    if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => this.of(operation, one)));
    if (schema.enum) return fc.constantFrom<Tree>(...schema.enum);
    const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
    if (types.length > 1) return fc.oneof(...types.map((type) => this.of(operation, { ...schema, type })));
    switch (types[0]) {
      case 'null':
        return fc.constant<Tree>(null);
      case 'boolean':
        return fc.boolean();
      case 'integer':
      case 'number':
        return numbers(schema, types[0] === 'integer');
      case 'string':
        return strings(schema);
      case 'array':
        return this.lists(operation, schema);
      default:
        return schema.properties || schema.type ? this.objects(operation, schema) : anything;
    }
  }

  private lists(operation: string, { items = {}, minItems = 0, maxItems = 3 }: Schema): fc.Arbitrary<Tree> {
    const maxLength = Math.max(minItems, Math.min(maxItems, 3));
    return fc.array(this.of(operation, items), { minLength: minItems, maxLength }) as fc.Arbitrary<Tree>;
  }

  objects(operation: string, { properties, required = [], additionalProperties = true, minProperties = 0 }: Schema): fc.Arbitrary<Tree> {
    if (!properties) {
      const value = typeof additionalProperties === 'object' ? this.of(operation, additionalProperties) : anything;
      return fc.dictionary(fc.constantFrom('on', 'off', 'x', 'a b', '模型'), value, {
        minKeys: minProperties,
        maxKeys: 3,
      }) as fc.Arbitrary<Tree>;
    }
    const few = { nothing: 6, value: 1 };
    const many = { nothing: 1, value: 1 };
    return fc.oneof(...[few, many].map((share) => this.records(operation, properties, required, share)));
  }

  /** What may be left out is: each further field may make the whole impossible. */
  private records(
    operation: string,
    properties: Record<string, Schema>,
    required: string[],
    share: { nothing: number; value: number },
  ): fc.Arbitrary<Tree> {
    const fields = Object.entries(properties).map(([name, schema]) => {
      const value = this.named(operation, name, schema);
      const nothing = fc.constant(undefined);
      const perhaps = fc.oneof({ arbitrary: nothing, weight: share.nothing }, { arbitrary: value, weight: share.value });
      return [name, required.includes(name) ? value : perhaps] as const;
    });
    return fc
      .record(Object.fromEntries(fields))
      .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Tree);
  }
}

const anything: fc.Arbitrary<Tree> = fc.oneof(
  fc.constantFrom<Tree>(0, 1, 'on', true, null, {}, [], { a: [{ b: null }] }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Tree>,
);

function numbers({ minimum = -1e9, maximum = 1e9 }: Schema, whole: boolean): fc.Arbitrary<Tree> {
  const middle = Math.min(maximum, minimum + 1);
  const borders = fc.constantFrom<Tree>(minimum, middle, middle, maximum, Math.max(minimum, maximum - 1));
  const within = whole
    ? fc.integer({ min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 1_000) })
    : fc.double({ min: minimum, max: Math.min(maximum, 1_000), noNaN: true });
  return fc.oneof(borders, within as fc.Arbitrary<Tree>);
}

function strings({ format, pattern, minLength = 0, maxLength = Infinity }: Schema): fc.Arbitrary<Tree> {
  if (format === 'date-time') return fc.constantFrom<Tree>(...instants);
  const form = new RegExp(pattern ?? '', 'u');
  const fitting = texts.filter((text) => form.test(text) && text.length >= minLength && text.length <= maxLength);
  return fitting.length ? fc.constantFrom<Tree>(...fitting) : fc.stringMatching(form);
}
