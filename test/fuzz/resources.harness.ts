import { type Operation, pathParameters } from './description.harness.js';
import { kindOfId } from './dictionary.harness.js';
import { dataOf, type Exchange, succeeded } from './exchange.harness.js';

/** Something that has an id. */
export interface Thing {
  kind: string;
  id: string;
}

/** What the paths do not say: where something is made that has its path elsewhere. */
const makersElsewhere: Record<string, [kind: string, field: string]> = {
  run: ['run_id', 'run_id'],
  putEvaluator: ['evaluator', 'name'],
};

const isSame = (one: Thing, other: Thing): boolean => one.kind === other.kind && one.id === other.id;

/** Which operations make, show and remove which things, found by the form of their paths as RESTler does. */
export class Resources {
  private readonly makers = new Map<string, [kind: string, field: string]>();
  private readonly readers = new Map<string, Operation>();
  private readonly removers = new Map<string, Operation>();

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) {
      const [name, ...more] = pathParameters(operation.template);
      if (name === undefined || more.length || !operation.template.endsWith(`{${name}}`)) continue;
      const kind = kindOfId(operation.id, name);
      if (kind === null) continue;
      if (operation.method === 'GET' && !this.readers.has(kind)) this.readers.set(kind, operation);
      if (operation.method === 'DELETE') this.removers.set(kind, operation);
      const collection = operation.template.slice(0, -name.length - 3);
      const maker = operations.find(({ template, method }) => method === 'POST' && template === collection);
      if (maker) this.makers.set(maker.id, [kind, name]);
    }
    for (const [id, made] of Object.entries(makersElsewhere)) this.makers.set(id, made);
  }

  reader(kind: string): Operation | undefined {
    return this.readers.get(kind);
  }

  remover(kind: string): Operation | undefined {
    return this.removers.get(kind);
  }

  /** What an exchange has made. */
  made(exchange: Exchange): Thing[] {
    if (exchange.operation.id === 'importFlags') return imported(exchange);
    const [kind, field] = this.makers.get(exchange.operation.id) ?? [];
    const id = field && dataOf(exchange)[field];
    return kind && typeof id === 'string' ? [{ kind, id }] : [];
  }

  /** What an exchange would have made under an id that the request had chosen, had it not been refused. */
  attempted(exchange: Exchange): Thing | null {
    const [kind, field] = this.makers.get(exchange.operation.id) ?? [];
    if (!kind || !field || succeeded(exchange) || !exchange.answer || exchange.answer.status >= 500) return null;
    const id = exchange.params[field] ?? textField(exchange.body, field);
    return typeof id === 'string' ? { kind, id } : null;
  }

  /** What an exchange has removed. */
  removed(exchange: Exchange): Thing | null {
    const [kind] = [...this.removers].find(([, { id }]) => id === exchange.operation.id) ?? [];
    const [thing] = this.named(exchange);
    return kind && thing && succeeded(exchange) ? thing : null;
  }

  /** What an exchange was about: the things that its path names, the outermost first. */
  named({ operation, params }: Exchange): Thing[] {
    return pathParameters(operation.template).flatMap((name) => {
      const [kind, id] = [kindOfId(operation.id, name), params[name]];
      return kind !== null && typeof id === 'string' ? [{ kind: kind === 'hook_with_deliveries' ? 'webhook_id' : kind, id }] : [];
    });
  }

  names(exchange: Exchange, thing: Thing): boolean {
    return this.named(exchange).some((one) => isSame(one, thing));
  }

  makes(exchange: Exchange, thing: Thing): boolean {
    return this.made(exchange).some((one) => isSame(one, thing));
  }
}

function imported(exchange: Exchange): Thing[] {
  const { flags, evaluators } = dataOf(exchange) as { flags?: { flag_key: string }[]; evaluators?: { name: string }[] };
  return [
    ...(flags ?? []).map(({ flag_key: id }) => ({ kind: 'flag_key', id })),
    ...(evaluators ?? []).map(({ name: id }) => ({ kind: 'evaluator', id })),
  ];
}

/** A field of a JSON body, where it has one. */
export function textField(body: Buffer | undefined, field: string): unknown {
  try {
    return (JSON.parse(body?.toString() ?? '') as Record<string, unknown> | null)?.[field];
  } catch {
    return undefined;
  }
}
