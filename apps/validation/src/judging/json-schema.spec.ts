import { schemaFailure, schemaProblem } from './json-schema.js';

const tensor = {
  type: 'object',
  required: ['name', 'shape'],
  properties: { name: { type: 'string', pattern: '^[a-z]+$' }, shape: { type: 'array', items: { type: 'integer', minimum: 0 } } },
  additionalProperties: false,
};

describe('a JSON Schema', () => {
  it.each([[{}], [tensor], [{ $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ const: 1 }], items: false }]])(
    'can be %j',
    (schema) => {
      expect(schemaProblem(schema)).toBeNull();
    },
  );

  it.each<[unknown, string]>([
    [true, 'no object'],
    [null, 'no object'],
    [[], 'no object'],
    ['{}', 'no object'],
    [{ type: 'nothing' }, 'schema is invalid'],
    [{ minimum: 'x' }, 'schema is invalid'],
    [{ typ: 'object' }, 'unknown keyword'],
    [{ format: 'email' }, 'unknown format'],
    [{ $ref: '#' }, '$ref'],
    [{ allOf: [{ properties: { a: { $ref: 'https://example.com/s' } } }] }, '$ref'],
    [{ $defs: {} }, '$defs'],
    [{ items: { uniqueItems: true } }, 'uniqueItems'],
    [{ pattern: '(a+)+\\1' }, ''],
    [{ patternProperties: { '(?=a)': {} } }, ''],
    [{ $schema: 'http://json-schema.org/draft-07/schema#' }, 'no schema with key or ref'],
    [{ description: 'x'.repeat(10_000) }, 'too large'],
  ])('cannot be %j', (schema, why) => {
    expect(schemaProblem(schema)).toContain(why);
  });

  it('takes what fits, and names the place of what does not', () => {
    expect(schemaFailure(tensor, { name: 'probability', shape: [1] })).toBeNull();
    expect(schemaFailure(tensor, { name: 'probability', shape: [1, -1] })).toBe('does not fit the schema: /shape/1 must be >= 0');
    expect(schemaFailure(tensor, { name: 'Probability', shape: [] })).toContain('/name must match pattern');
    expect(schemaFailure(tensor, 7)).toBe('does not fit the schema: must be object');
    expect(schemaFailure({ required: ['constructor'] }, {})).toContain("required property 'constructor'");
  });

  it('takes no long time, whatever pattern and text are', () => {
    const started = performance.now();
    expect(schemaFailure({ pattern: '^(a|a|aa)*$' }, `${'a'.repeat(4_000 - 1)}!`)).not.toBeNull();
    expect(schemaFailure({ pattern: 'a' }, 'a'.repeat(4_001))).not.toBeNull();
    expect(schemaFailure({}, 'a'.repeat(100_000))).toContain('larger');
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
