import { type Role, roles } from '#contracts/access.js';

/** A JSON Schema (draft 2020-12) as the description has it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: string[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  minProperties?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Schema;
}

/** One method on one path, as the description tells of it. */
export interface Operation {
  id: string;
  method: string;
  /** With its parameters in braces: `/api/models/enterprise/registry/{model_id}`. */
  template: string;
  /** The smallest that may ask. */
  role: Role;
  parameters: Parameter[];
  /** Null where the operation takes none. */
  body: { required: boolean; types: Record<string, Schema> } | null;
  /** By status; null where an answer has no body. */
  answers: Record<string, Schema | null>;
}

/** An OpenAPI 3.1 document, as far as it is read here. */
export interface Description {
  paths: Record<string, Record<string, DescribedOperation>>;
  components: { schemas: Record<string, Schema> };
}

interface Content {
  content?: Record<string, { schema?: Schema }>;
}

interface DescribedOperation {
  operationId: string;
  description?: string;
  parameters?: { name: string; in: Parameter['in']; required?: boolean; schema: Schema }[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content>;
}

export function operationsOf({ paths }: Description): Operation[] {
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, described]) => operationOf(template, method.toUpperCase(), described)),
  );
}

function operationOf(template: string, method: string, described: DescribedOperation): Operation {
  const { operationId: id, description = '', parameters = [], requestBody, responses } = described;
  const role = roles.find((one) => description.includes(`Role: \`${one}\``));
  if (!role) throw new Error(`${id} does not say which role it needs`);
  return {
    ...{ id, method, template, role },
    parameters: parameters.map(({ required = false, ...rest }) => ({ ...rest, required })),
    body: requestBody ? { required: requestBody.required ?? false, types: schemasOf(requestBody) } : null,
    answers: Object.fromEntries(
      Object.entries(responses).map(([status, answer]) => [status, schemasOf(answer)['application/json'] ?? null]),
    ),
  };
}

const schemasOf = ({ content = {} }: Content): Record<string, Schema> =>
  Object.fromEntries(Object.entries(content).map(([type, { schema = {} }]) => [type, schema]));

/** The schema itself, where it is one by reference. */
export function resolved(schema: Schema, { components }: Description): Schema {
  if (schema.$ref === undefined) return schema;
  const name = schema.$ref.replace('#/components/schemas/', '');
  const found = components.schemas[name];
  if (!found) throw new Error(`The description has no ${schema.$ref}`);
  return resolved(found, { components, paths: {} });
}

/** Names of the parameters of a path, in their order. */
export const pathParameters = (template: string): string[] => [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
