import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type Description, type Operation, type Schema } from './description.harness.js';
import { type Sent } from './exchange.harness.js';

/** Says whether requests and answers fit what a description says of them. */
export class Schemas {
  /** Takes any further field, as a description is read by those who send. */
  private readonly open = compiler();
  /** Takes no field that is not described: what is answered is described whole. */
  private readonly closed = compiler();
  private readonly compiled = new Map<Schema, ValidateFunction>();

  constructor(description: Description) {
    this.open.addSchema({ components: description.components }, 'open');
    this.closed.addSchema({ components: closed(description.components) }, 'closed');
  }

  /** Null when it fits. */
  answerProblem(operation: Operation, status: number, body: unknown): string | null {
    const schema = operation.answers[status];
    if (!schema) return `${operation.id} does not describe ${status}`;
    return this.problem(this.closed, 'closed', schema, closed(schema) as Schema, body);
  }

  /** What of a request does not fit, of those parts that a schema describes; null when all do. */
  requestProblem(sent: Sent): string | null {
    const { operation, params, query } = sent;
    for (const { name, in: place, schema, required } of operation.parameters) {
      if (place === 'header') continue;
      const texts = place === 'path' ? [params[name]] : (query ?? []).filter(([other]) => other === name).map(([, text]) => text);
      if (texts.length > 1) return `${name} is there twice`;
      const [text] = texts;
      if (text === undefined || text === null) {
        if (required) return `${name} is missing`;
        continue;
      }
      const problem = this.problem(this.open, 'open', schema, schema, fromText(text, schema));
      if (problem !== null) return `${name}: ${problem}`;
    }
    const known = new Set(operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name));
    const stray = (query ?? [['(query)', '']]).find(([name]) => !known.has(name));
    if (stray) return `there is no parameter ${stray[0]}`;
    return this.bodyProblem(sent);
  }

  private bodyProblem({ operation, body }: Sent): string | null {
    // Nobody reads the body of a GET.
    if (operation.method === 'GET') return null;
    if (!body?.length) return operation.body?.required ? 'the body is missing' : null;
    // What takes nothing takes an object without fields, too.
    const schema = operation.body ? operation.body.types['application/json'] : {};
    if (!schema) return null;
    let value: unknown;
    try {
      // A byte order mark may stand before it: RFC 8259, 8.1.
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    } catch {
      return 'the body is no JSON';
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'the body is no object';
    const stray = Object.keys(value).find((name) => !Object.hasOwn(schema.properties ?? {}, name));
    if (stray !== undefined) return `there is no field ${stray}`;
    // Events are judged one by one: a bad one is no reason to refuse the others.
    if (operation.id === 'recordInferences') return null;
    return this.problem(this.open, 'open', schema, schema, value);
  }

  private problem(ajv: Ajv2020, base: string, key: Schema, schema: Schema, value: unknown): string | null {
    let validate = this.compiled.get(key);
    if (!validate) this.compiled.set(key, (validate = ajv.compile(based(schema, base) as object)));
    if (validate(value)) return null;
    return (validate.errors ?? [])
      .slice(0, 3)
      .map(({ instancePath, message, params }) => `${instancePath || '(all)'} ${message} ${JSON.stringify(params).slice(0, 200)}`)
      .join('; ');
  }
}

function compiler(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  return ajv;
}

/** A query's text as the type that it is to be; itself where it is none of it. */
function fromText(text: string, { type }: Schema): unknown {
  if (type === 'number' || type === 'integer') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

/** The same schemas, of whose objects none has a field that is not named. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return 'properties' in inside && !('additionalProperties' in inside) && 'required' in inside
    ? { ...inside, additionalProperties: false }
    : inside;
}

/** References as from outside of the document. */
function based(schema: unknown, base: string): unknown {
  if (Array.isArray(schema)) return schema.map((one) => based(one, base));
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === '$ref' ? `${base}${String(value)}` : based(value, base)]),
  );
}
