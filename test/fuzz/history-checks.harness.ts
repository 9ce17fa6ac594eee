import { errorOf, seen } from './answer-checks.harness.js';
import { dataOf, type Exchange, succeeded } from './exchange.harness.js';
import { type Resources, textField, type Thing } from './resources.harness.js';

/** What the checks are told besides the exchanges of one sequence, which are in the order in which they began. */
export interface World {
  resources: Resources;
  /** What other sequences have made, as `kind id`. */
  others: ReadonlySet<string>;
}

export interface Breach {
  exchange: Exchange;
  why: string;
}

/** Says which exchanges of a history must not be as they are: the checkers of RESTler, and two of our own. */
export type HistoryCheck = (history: readonly Exchange[], world: World) => Breach[];

export const keyOf = ({ kind, id }: Thing): string => `${kind} ${id}`;

const breach = (exchange: Exchange, what: string): Breach => ({
  exchange,
  why: `${what}: ${exchange.operation.id} ${exchange.path.slice(0, 200)} answered ${exchange.answer ? seen(exchange.answer) : 'nothing'}`,
});

/** Of what comes after `first` has ended, what comes before anything that makes the thing anew has begun. */
function afterwards(history: readonly Exchange[], first: Exchange, thing: Thing, { resources }: World): Exchange[] {
  const remade = history.find((one) => one !== first && one.ended_ms > first.began_ms && resources.makes(one, thing));
  return history.filter((one) => one.began_ms >= first.ended_ms && (!remade || one.ended_ms <= remade.began_ms));
}

/** What may be asked of a thing that was removed: old revisions of test cases are kept, and a key can be revoked twice. */
const isAllowedAfterRemoval = ({ operation, query }: Exchange): boolean =>
  operation.id === 'revokeKey' || query?.some(([name]) => name === 'revision') === true;

/** Use after free: what is removed is neither shown nor changed. */
const useAfterRemoval: HistoryCheck = (history, world) =>
  history.flatMap((removal) => {
    const thing = world.resources.removed(removal);
    if (!thing) return [];
    return afterwards(history, removal, thing, world)
      .filter((one) => succeeded(one) && world.resources.names(one, thing) && !isAllowedAfterRemoval(one))
      .map((one) => breach(one, `${keyOf(thing)} was removed`));
  });

/** Resource hierarchy: what belongs to one thing is not reached by way of another. */
const wrongParent: HistoryCheck = (history, { resources }) => {
  const parents = new Map<string, string>();
  return history.flatMap((one) => {
    if (!succeeded(one)) return [];
    const [parent, child] = resources.named(one);
    if (!parent) return [];
    for (const id of childrenIn(one)) if (!parents.has(id)) parents.set(id, parent.id);
    const owner = child && parents.get(child.id);
    return owner !== undefined && owner !== parent.id ? [breach(one, `${keyOf(child!)} belongs to ${owner}`)] : [];
  });
};

/** Ids of the entries of a list below something. */
function childrenIn({ answer }: Exchange): string[] {
  const { data } = (answer?.body ?? {}) as { data?: unknown };
  return Array.isArray(data) ? data.map(({ delivery_id }: { delivery_id?: string }) => delivery_id).filter((id) => id !== undefined) : [];
}

/** Leakage: a creation that was refused has left nothing. */
const leftovers: HistoryCheck = (history, world) =>
  history.flatMap((attempt) => {
    const thing = world.resources.attempted(attempt);
    if (!thing || attempt.answer?.status === 409 || world.others.has(keyOf(thing))) return [];
    const before = history.some((one) => one.began_ms < attempt.ended_ms && world.resources.makes(one, thing));
    if (before) return [];
    return afterwards(history, attempt, thing, world)
      .filter((one) => one.operation.method === 'GET' && succeeded(one) && world.resources.names(one, thing))
      .map((one) => breach(one, `${keyOf(thing)} was refused with ${attempt.answer?.status}`));
  });

/** The sport of each model that the history has made. */
function sportsOf(history: readonly Exchange[], { resources }: World): Map<string, unknown> {
  const models = history.filter((one) => resources.made(one).some(({ kind }) => kind === 'model_id'));
  return new Map(models.map((one) => [String(dataOf(one).model_id), dataOf(one).sport]));
}

/** What may be said to whoever names a model that is none of his. */
const silentCodes = new Set([
  ...['MODEL_NOT_FOUND', 'ROLE_TOO_SMALL', 'INVALID_INPUT', 'INVALID_JSON', 'UNSUPPORTED_MEDIA_TYPE', 'MALFORMED_REQUEST'],
  ...['REQUEST_TOO_LARGE', 'ROUTE_NOT_FOUND', 'SERVICE_UNAVAILABLE', 'TOO_MANY_REQUESTS'],
]);

/** Namespace: a key that is narrowed to a sport is told nothing of the models of others, not even that they are there. */
const foreignModels: HistoryCheck = (history, world) => {
  const sports = sportsOf(history, world);
  return history.flatMap((one) => {
    const { sport } = one.principal;
    if (sport === null || !one.answer) return [];
    const foreign = [...sports].filter(([, other]) => other !== sport).map(([id]) => id);
    const asked = world.resources.named(one).find(({ kind, id }) => kind === 'model_id' && foreign.includes(id));
    if (asked) return silentCodes.has(errorOf(one)?.code ?? '') ? [] : [breach(one, `${asked.id} is none of ${sport}`)];
    // Everybody sees all test cases, with what they apply to.
    if (one.operation.template.includes('/validation/cases')) return [];
    const sent = `${one.path} ${one.body?.toString() ?? ''}`;
    const told = foreign.find((id) => one.answer!.text.includes(id) && !sent.includes(id));
    return told === undefined ? [] : [breach(one, `tells ${sport} of ${told}`)];
  });
};

/** Invalid dynamic object: an id that nobody has given is the id of nothing. */
const unknownIds: HistoryCheck = (history, world) =>
  history.flatMap((one) => {
    if (!succeeded(one)) return [];
    return world.resources
      .named(one)
      .filter((thing) => !world.others.has(keyOf(thing)))
      .filter((thing) => !history.some((other) => other.began_ms <= one.ended_ms && world.resources.makes(other, thing)))
      .map((thing) => breach(one, `nothing is ${keyOf(thing)}`));
  });

/** Two requests at once, or one after the other, have not both made the same. */
const madeTwice: HistoryCheck = (history, world) => {
  const makers = history.filter((one) => one.operation.method === 'POST' && one.operation.id !== 'importFlags');
  return makers.flatMap((one, index) => {
    const [thing] = world.resources.made(one);
    if (!thing || textField(one.body, thing.kind) !== thing.id) return [];
    const again = makers.slice(index + 1).find((other) => world.resources.makes(other, thing));
    if (!again || history.some((other) => world.resources.removed(other)?.id === thing.id)) return [];
    return [breach(again, `${keyOf(thing)} was made before`)];
  });
};

/** A change that is refused has changed nothing: what is shown before and after it is the same. What ticks changes by itself is left out. */
const changedAlthoughRefused: HistoryCheck = (history, { resources }) => {
  if (history.some((one) => resources.made(one).some(({ kind }) => kind === 'rollout_id'))) return [];
  return history.flatMap((after, index) => {
    const before = history.slice(0, index).findLast((one) => isSameReading(one, after));
    if (!before) return [];
    const between = history.slice(0, index).filter((one) => one.ended_ms > before.began_ms && one.operation.method !== 'GET');
    const refused = between.length > 0 && between.every(({ answer }) => answer && answer.status >= 400 && answer.status < 500);
    if (!refused || JSON.stringify(dataOf(before)) === JSON.stringify(dataOf(after))) return [];
    return [
      breach(
        after,
        `refused with ${between.map(({ answer }) => answer?.status).join()}, it was ${JSON.stringify(dataOf(before)).slice(0, 400)}`,
      ),
    ];
  });
};

const isSameReading = (one: Exchange, other: Exchange): boolean =>
  one.operation.method === 'GET' &&
  one.operation.id === other.operation.id &&
  one.path === other.path &&
  one.principal === other.principal &&
  [one, other].every((read) => succeeded(read) && dataOf(read).revision !== undefined);

/** A key's secret is in the answer that has made it, and in no other. */
const secretsShownAgain: HistoryCheck = (history) =>
  history.flatMap((maker) => {
    const { key } = dataOf(maker);
    if (typeof key !== 'string') return [];
    return history.filter((one) => one !== maker && one.answer?.text.includes(key)).map((one) => breach(one, 'shows a key again'));
  });

export const historyChecks: Record<string, HistoryCheck> = {
  'is gone when it was removed': useAfterRemoval,
  'is reached by way of what it belongs to alone': wrongParent,
  'leaves nothing when it was refused': leftovers,
  'is hidden from who is narrowed to others': foreignModels,
  'is only what somebody has made': unknownIds,
  'is made once': madeTwice,
  'is shown once where it is a secret': secretsShownAgain,
  'stays as it was when a change was refused': changedAlthoughRefused,
};
