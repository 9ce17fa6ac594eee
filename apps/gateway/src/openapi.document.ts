import { type INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { statusOfCode } from '#contracts/errors.js';
import { type FieldSchema } from '#contracts/fields.js';
import { componentSchemas } from './schema.js';

const errorEnvelope = {
  type: 'object',
  required: ['success', 'data', 'error'],
  properties: {
    success: { const: false },
    data: { type: 'null' },
    error: {
      type: 'object',
      required: ['code', 'message', 'details'],
      properties: {
        code: { type: 'string', enum: Object.keys(statusOfCode) },
        message: { type: 'string' },
        details: { type: ['object', 'null'], description: 'For INVALID_INPUT: `fields`, each with field, value and accepted.' },
      },
    },
  },
};

interface Described {
  parameters?: object[];
  responses: Record<string, { content?: { 'application/json'?: { schema?: { properties?: { data?: { $ref?: string } } } } } }>;
}

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  description: 'ETags that the client has: where the present one is among them the answer is 304.',
  required: false,
  schema: { type: 'string' },
};

/** Says of each GET whose answer has a revision that it can be answered 304. */
function describeNotModified(paths: Record<string, { get?: Described }>, schemas: Record<string, FieldSchema>): void {
  for (const { get } of Object.values(paths)) {
    const name = get?.responses[200]?.content?.['application/json']?.schema?.properties?.data?.$ref?.split('/').at(-1) ?? '';
    if (!get || !Object.hasOwn(schemas[name]?.properties ?? {}, 'revision')) continue;
    get.parameters = [...(get.parameters ?? []), ifNoneMatch];
    get.responses[304] = { description: 'The client has it already' } as object;
  }
}

/** The API's description, made from the routes and contracts themselves. */
export function describeApi(app: INestApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setTitle('Enterprise Model Registry')
    .setDescription('Model lifecycle, performance monitoring, validation and feature flags under one prefix.')
    .setVersion('1.0.0')
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key' })
    .build();
  const document = SwaggerModule.createDocument(app, base, { operationIdFactory: (_, method) => method });
  const schemas = componentSchemas();
  describeNotModified(document.paths as never, schemas);
  return { ...document, components: { ...document.components, schemas: { ...schemas, ErrorEnvelope: errorEnvelope } as never } };
}
