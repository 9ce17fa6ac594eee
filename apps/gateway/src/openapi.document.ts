import { type INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { statusOfCode } from '#contracts/errors.js';
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
  return {
    ...document,
    components: { ...document.components, schemas: { ...componentSchemas(), ErrorEnvelope: errorEnvelope } as never },
  };
}
