import 'reflect-metadata';
import { applyDecorators, HttpCode, SetMetadata } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
} from '@nestjs/swagger';
import { type FastifyRequest } from 'fastify';
import { type Role } from '#contracts/access.js';
import { type DataSetFormat } from '#contracts/data-set.js';
import { type AppError, invalidInput } from '#contracts/errors.js';
import { type DataClass, fieldsOf } from '#contracts/fields.js';
import { fromTexts, parse } from '#contracts/parse.js';
import { parameter } from './parameter.js';
import { RowStream } from './row-stream.js';
import { type Served } from './served.js';
import { componentRef, fieldSchema, objectSchema } from './schema.js';

interface ServesOptions {
  role: Role;
  input: DataClass;
  output: DataClass;
  summary: string;
  path?: string[];
  from: 'query' | 'body';
  takesRows?: boolean;
}

const servedKey = 'emr:served';
const publicKey = 'emr:public';

export const servedBy = (handler: object): Served | undefined => Reflect.getMetadata(servedKey, handler) as Served | undefined;
export const isPublic = (handler: object): boolean => Reflect.getMetadata(publicKey, handler) === true;

/** A route that needs no key: probes and the API's own description. */
export const Public = (): MethodDecorator => applyDecorators(SetMetadata(publicKey, true), HttpCode(200));

const envelope = (data: object, list: boolean): object => ({
  type: 'object',
  required: list ? ['success', 'data', 'page'] : ['success', 'data'],
  properties: {
    success: { const: true },
    data: list ? { type: 'array', items: data } : data,
    ...(list && { page: { type: 'object', required: ['next_cursor'], properties: { next_cursor: { type: ['string', 'null'] } } } }),
  },
});

/** The item class of a page, or null when the output is not a page. */
export const itemOf = (output: DataClass): DataClass | null => {
  const fields = fieldsOf(output);
  return fields.has('next_cursor') ? (fields.get('items')?.part?.() ?? null) : null;
};

/**
 * What a route takes, answers and asks of its caller: the one source of authorisation, input checks and the OpenAPI description. A handler
 * with neither this nor `Public` keeps the gateway from starting.
 */
export function Serves({ role, input, output, summary, path = [], from, takesRows = false }: ServesOptions): MethodDecorator {
  const fields = [...fieldsOf(input).values()];
  const rest = fields.filter(({ name }) => !path.includes(name) && name !== 'if_match');
  const item = itemOf(output);
  const takesIfMatch = fields.some(({ name }) => name === 'if_match');
  const responses: MethodDecorator[] = [
    ApiOkResponse({ description: 'Success', schema: envelope(componentRef(item ?? output), item !== null) }),
    ...[400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503].map((status) =>
      ApiResponse({ status, description: descriptions[status], schema: componentRef(ErrorEnvelope) }),
    ),
  ];
  return applyDecorators(
    (target, method, descriptor) =>
      SetMetadata(servedKey, {
        controller: target.constructor as Served['controller'],
        method: String(method),
        role,
        input,
        output,
        path,
        from,
        takesIfMatch,
        takesRows,
        isList: item !== null,
      } satisfies Served)(target, method, descriptor),
    HttpCode(200),
    ApiBearerAuth(),
    ApiOperation({ summary, description: `Role: \`${role}\`.` }),
    ...path.map((name) => ApiParam({ name, schema: fieldSchema(fields.find((field) => field.name === name)) })),
    ...(from === 'query'
      ? rest.map((field) => ApiQuery({ name: field.name, required: field.required, schema: fieldSchema(field) as never }))
      : []),
    ...(from === 'body' && rest.length
      ? [ApiBody({ schema: objectSchema(rest) as never, required: rest.some(({ required }) => required) })]
      : []),
    ...(takesIfMatch ? [ApiHeader({ name: 'If-Match', required: false, description: 'The ETag that the change is based on.' })] : []),
    ...(takesRows ? [ApiConsumes(...Object.keys(rowTypes)), ApiBody({ schema: { type: 'string' }, required: true })] : []),
    ...responses,
  );
}

const descriptions: Record<number, string> = {
  400: 'Invalid input: each offending field and what is accepted',
  401: 'No key, or one that is unknown, expired or revoked',
  403: 'The key’s role is too small, or this would concern what is outside its scope',
  404: 'Not found',
  409: 'Not possible in the present state',
  412: 'If-Match names a revision that is not the present one',
  413: 'Too large',
  422: 'The gate is not passed: each requirement that is not met, and why',
  429: 'Too many requests',
  500: 'A mistake on our side',
  503: 'A service is not available; Retry-After tells when to try again',
};

/** Names the envelope of errors in the OpenAPI file; its schema is written out in openapi.document.ts. */
export class ErrorEnvelope {}

/** The revisions of a list of ETags, weak or strong; null where the list has something else. */
export function revisionsOf(etags: string): number[] | null {
  const revisions = etags.split(',').map((etag) => /^\s*(?:W\/)?"(\d{1,15})"\s*$/.exec(etag)?.[1]);
  return revisions.includes(undefined) ? null : revisions.map(Number);
}

/** Undefined: any revision will do. */
function ifMatch(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  const revisions = revisionsOf(header);
  if (revisions) return revisions;
  throw invalidInput([{ field: 'If-Match', value: header.slice(0, 100), accepted: 'ETags of this resource such as "3", or *' }]);
}

/** What a body of rows may be. */
export const rowTypes: Record<string, DataSetFormat> = { 'application/x-ndjson': 'ndjson', 'text/csv': 'csv' };

/** The body of a route that takes rows; undefined where it is something else, or nothing. */
export const Rows = parameter(({ body }) => (body instanceof RowStream ? body : undefined));

/** The route's input: path parameters with the query or the body, checked against the class that `Serves` names. */
export const Input = parameter(readInput);

function readInput(request: FastifyRequest, { input, path, from, takesIfMatch, takesRows }: Served): object {
  const params = request.params as Record<string, string>;
  const query = request.query as Record<string, unknown>;
  if (from === 'query' && request.body !== undefined && !takesRows)
    throw invalidInput([{ field: '(body)', accepted: 'no body; the input is the query' }]);
  const values = from === 'query' ? fromTexts(input, query) : { ...bodyOf(request.body, query) };
  for (const field of path) if (Object.hasOwn(values, field)) throw misplaced(field, values[field], 'only in the path');
  if (Object.hasOwn(values, 'if_match')) throw misplaced('if_match', values.if_match, 'the If-Match header instead');
  for (const name of path) values[name] = params[name];
  if (takesIfMatch) values.if_match = ifMatch(request.headers['if-match']);
  return parse(input, values);
}

const misplaced = (field: string, value: unknown, accepted: string): AppError => invalidInput([{ field, value, accepted }]);

function bodyOf(body: unknown, query: Record<string, unknown>): Record<string, unknown> {
  const stray = Object.keys(query);
  if (stray.length) throw invalidInput(stray.map((field) => ({ field, accepted: 'no query parameters; the input is a JSON body' })));
  if (body === undefined) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalidInput([{ field: '(body)', accepted: 'a JSON object' }]);
  return body as Record<string, unknown>;
}
