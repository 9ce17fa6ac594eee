import { type DataClass, type Field, type FieldSchema, fieldsOf } from '#contracts/fields.js';

/** Every class that a description has pointed to, by name. */
const components = new Map<string, DataClass>();

export function componentRef(type: DataClass): FieldSchema {
  const known = components.get(type.name);
  if (known && known !== type) throw new Error(`Two classes are called ${type.name}`);
  components.set(type.name, type);
  return { $ref: `#/components/schemas/${type.name}` };
}

/** The JSON Schema of one field, with its parts by reference. */
export function fieldSchema(field: Field | undefined): FieldSchema {
  if (!field) throw new Error('A path parameter is not a field of the input');
  const { schema, part, nullable } = field;
  const whole = part ? partSchema(schema, part()) : schema;
  if (!nullable) return whole;
  if (typeof whole.type === 'string' && !whole.enum) return { ...whole, type: [whole.type, 'null'] };
  const { description, ...rest } = whole;
  if (Object.keys(rest).length === 0) return whole;
  return { anyOf: [rest, { type: 'null' }], ...(description !== undefined && { description }) };
}

const partSchema = (schema: FieldSchema, part: DataClass): FieldSchema =>
  schema.type === 'array' ? { ...schema, items: componentRef(part) } : { ...schema, ...componentRef(part) };

export const objectSchema = (fields: Field[]): FieldSchema => ({
  type: 'object',
  properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
  required: fields.filter(({ required }) => required).map(({ name }) => name),
});

/** The schemas of every class pointed to, and of those that they point to. */
export function componentSchemas(): Record<string, FieldSchema> {
  const schemas: Record<string, FieldSchema> = {};
  // A Map's iteration also visits what is added while it runs: the parts of parts.
  for (const [name, type] of components) {
    const fields = [...fieldsOf(type).values()];
    if (fields.length) schemas[name] = objectSchema(fields);
  }
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
}
