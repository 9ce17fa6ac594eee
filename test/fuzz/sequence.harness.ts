import { answerChecks, type AnswerCheck } from './answer-checks.harness.js';
import { pathParameters } from './description.harness.js';
import { kindOfId } from './dictionary.harness.js';
import { exchange, type Exchange, type Sent } from './exchange.harness.js';
import { type FuzzSuite } from './fuzz-suite.harness.js';
import { historyChecks, keyOf, type World } from './history-checks.harness.js';
import { narrowed } from './principals.harness.js';
import { about } from './producers.harness.js';
import { type Thing } from './resources.harness.js';
import { type Step } from './steps.harness.js';
import { Bytes, Fresh, jsonText, type Known, namesIn, type Naming, plainText, Raw, type Tree } from './tree.harness.js';

/** Something that must not be, with the request that shows it and those before it. */
export interface Flaw {
  check: string;
  exchange: Exchange;
  why: string;
  history: Exchange[];
}

/** What is asked for by those who may not see all of it. */
const hasSport = new Set(['model_id', 'flag_key', 'run_id', 'rollout_id']);
/** What is looked at, whatever the sequence was, in its end. */
const mostThings = 4;

/** Requests one after the other, of which later ones are about what earlier ones have made. Each sequence has things of its own. */
export class Sequence {
  readonly exchanges: Exchange[] = [];
  private readonly known = new Map<string, string[]>();
  private readonly others: ReadonlySet<string>;

  constructor(private readonly suite: FuzzSuite) {
    this.others = new Set(suite.everMade);
  }

  /** Sends them and looks at what they left; says what was wrong, the first first. */
  async run(steps: readonly Step[]): Promise<Flaw[]> {
    for (const step of steps) await this.take(step);
    await this.lookAtWhatIsLeft();
    return this.flaws();
  }

  /** Of a change, what is shown of its thing before and after it belongs to it. */
  private async take(step: Step): Promise<void> {
    const reading = step.operation.method === 'GET' ? null : await this.readingOf(step);
    if (reading) await this.send(reading);
    await this.send(step);
    if (reading) await this.send(reading);
  }

  private async readingOf({ operation, path }: Step): Promise<Step | null> {
    const [name] = pathParameters(operation.template);
    const value = name === undefined ? undefined : path[name];
    const kind = name === undefined ? null : kindOfId(operation.id, name);
    const reader = kind === null ? undefined : this.suite.resources.reader(kind);
    if (!reader || value === undefined || value instanceof Raw || value instanceof Fresh) return null;
    await this.provide(value);
    return { ...about(reader, pathParameters(reader.template)[0]!, ''), path: { [pathParameters(reader.template)[0]!]: value } };
  }

  private async send(step: Step): Promise<void> {
    const { principal, path, query, headers, body, times } = step;
    await this.provide(path, Object.fromEntries(query), Object.fromEntries(headers), body);
    const sent = this.sentOf(step);
    const key = this.suite.keyOf(principal);
    const answered = await Promise.all(Array.from({ length: times }, () => exchange(this.suite.root, sent, key)));
    for (const one of answered) this.remember(one);
  }

  private remember(one: Exchange): void {
    this.exchanges.push(one);
    for (const thing of this.suite.resources.made(one)) {
      this.known.set(thing.kind, [...(this.known.get(thing.kind) ?? []), thing.id]);
      this.suite.everMade.add(keyOf(thing));
    }
  }

  /** Makes what stands in the trees by its kind, as far as the sequence has none of that kind yet. */
  private async provide(...trees: (Tree | undefined)[]): Promise<void> {
    const names = trees.flatMap((tree) => (tree === undefined ? [] : namesIn(tree)));
    for (const name of names) {
      if (name instanceof Fresh || this.known.has(name.kind)) continue;
      for (const step of this.suite.producers.get(name.kind) ?? []) await this.send(step);
    }
  }

  private idOf({ kind, back }: Known): string {
    const all = this.known.get(kind) ?? [this.suite.standing.get(kind) ?? absent];
    return all[Math.max(0, all.length - 1 - back)]!;
  }

  private sentOf({ operation, principal, path, query, rawQuery, headers, body, type }: Step): Sent {
    const fresh = new Map<string, string>();
    const naming: Naming = (name) => {
      if (!(name instanceof Fresh)) return this.idOf(name);
      if (!fresh.has(name.kind)) fresh.set(name.kind, this.suite.freshName(name.kind));
      return fresh.get(name.kind)!;
    };
    const segment = (value: Tree): string => (value instanceof Raw ? value.text : encoded(plainText(value, naming)));
    const pairs = query.map(([name, value]) => `${encoded(name)}=${encoded(plainText(value, naming))}`);
    const text = [...pairs, ...(rawQuery ? [rawQuery] : [])].join('&');
    const segments = Object.fromEntries(Object.entries(path).map(([name, value]) => [name, segment(value)]));
    const target = operation.template.replace(/\{(\w+)\}/g, (_, name: string) => segments[name] ?? '');
    const bytes = body === undefined ? undefined : bytesOf(body, type, naming);
    return {
      ...{ operation, principal },
      path: text ? `${target}?${text}` : target,
      params: Object.fromEntries(Object.entries(segments).map(([name, value]) => [name, decoded(value)])),
      query: pairsOf(text),
      headers: {
        ...(bytes && type && { 'Content-Type': type }),
        ...Object.fromEntries(headers.map(([name, value]) => [name, headerText(plainText(value, naming))])),
      },
      body: bytes,
    };
  }

  /** What the sequence has made is asked for by those who must not see it, removed, and asked for again. */
  private async lookAtWhatIsLeft(): Promise<void> {
    const { resources } = this.suite;
    const all = [...this.known].flatMap(([kind, ids]) => ids.map((id): Thing => ({ kind, id })));
    const attempts = this.exchanges.flatMap((one) => resources.attempted(one) ?? []);
    const fitting = (thing: Thing): boolean => /^[\w.-]+$/.test(thing.id);
    for (const { kind, id } of [...new Map(attempts.filter(fitting).map((thing) => [keyOf(thing), thing])).values()].slice(0, mostThings)) {
      const reader = resources.reader(kind);
      if (reader) await this.send(about(reader, pathParameters(reader.template)[0]!, id));
    }
    for (const { kind, id } of all.slice(-3 * mostThings).reverse()) {
      const reader = resources.reader(kind);
      const remover = resources.remover(kind);
      const read = reader && about(reader, pathParameters(reader.template)[0]!, id);
      if (read && hasSport.has(kind)) for (const principal of narrowed) await this.send({ ...read, principal });
      if (kind === 'rollout_id') await this.end(id);
      if (remover) await this.send(about(remover, pathParameters(remover.template)[0]!, id));
      if (read && remover) await this.send(read);
    }
  }

  /** What goes on by itself would go on beside all that follows. */
  private async end(rollout_id: string): Promise<void> {
    const abort = this.suite.operations.find(({ id }) => id === 'abortRollout')!;
    await this.send(about(abort, 'rollout_id', rollout_id, { reason: 'the sequence has ended' }));
  }

  private flaws(): Flaw[] {
    const { schemas, secrets, resources } = this.suite;
    const world: World = { resources, others: this.others };
    const alone = this.exchanges.flatMap((one, index) =>
      Object.entries(answerChecks).flatMap(([check, judge]: [string, AnswerCheck]) => {
        const why = judge(one, { schemas, secrets });
        return why === null ? [] : [{ check, exchange: one, why, history: this.exchanges.slice(0, index) }];
      }),
    );
    const together = Object.entries(historyChecks).flatMap(([check, judge]) =>
      judge(this.exchanges, world).map(({ exchange: one, why }) => ({
        ...{ check, exchange: one, why },
        history: this.exchanges.slice(0, this.exchanges.indexOf(one)),
      })),
    );
    return [...alone, ...together];
  }
}

/** An id of the right form that nothing has. */
const absent = '01890a5d-ac96-774b-bcce-b302099a8057';

/** Lone surrogates, which have no percent-encoding, as their bytes. */
const encoded = (text: string): string =>
  text.isWellFormed() ? encodeURIComponent(text) : [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** A query's parameters; null where it is not percent-encoded UTF-8. */
function pairsOf(text: string): [string, string][] | null {
  const pairs = text
    .split('&')
    .filter(Boolean)
    .map((pair) => [pair.split('=')[0]!, pair.split('=').slice(1).join('=')].map((part) => decoded(part.replaceAll('+', ' '))));
  return pairs.flat().includes(null) ? null : (pairs as [string, string][]);
}

/** What Node lets pass in a header. */
const headerText = (text: string): string => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');

function bytesOf(body: Tree, type: string | undefined, naming: Naming): Buffer {
  if (body instanceof Bytes) return Buffer.from(body.hex, 'hex');
  return Buffer.from(type === 'application/json' ? jsonText(body, naming) : plainText(body, naming));
}
