/** Text that stands in a JSON body as it is, whether or not it is JSON. */
export class Raw {
  constructor(readonly text: string) {}
}

/** A whole body as bytes, such as what is no UTF-8. */
export class Bytes {
  constructor(readonly hex: string) {}
}

/** The id of something that is there, `back` things of its kind before the newest; made when there is none. */
export class Known {
  constructor(
    readonly kind: string,
    readonly back = 0,
  ) {}
}

/** A name that nothing has yet, the same throughout a request. */
export class Fresh {
  constructor(readonly kind: string) {}
}

/** A JSON value before it is sent: ids that are not known yet stand in it by what they are of. */
export type Tree = null | boolean | number | string | Raw | Bytes | Known | Fresh | Tree[] | { [key: string]: Tree };

/** A place in a tree: keys and indexes from its root. */
export type Place = (string | number)[];

/** What a name stands for when the request is sent. */
export type Naming = (name: Known | Fresh) => string;

const isLeaf = (tree: Tree): tree is null | boolean | number | string | Raw | Bytes | Known | Fresh =>
  typeof tree !== 'object' ||
  tree === null ||
  tree instanceof Raw ||
  tree instanceof Bytes ||
  tree instanceof Known ||
  tree instanceof Fresh;

/** As it is sent in a JSON body. */
export function jsonText(tree: Tree, naming: Naming): string {
  if (tree instanceof Raw) return tree.text;
  if (tree instanceof Known || tree instanceof Fresh) return JSON.stringify(naming(tree));
  if (Array.isArray(tree)) return `[${tree.map((entry) => jsonText(entry, naming)).join()}]`;
  if (isLeaf(tree)) return JSON.stringify(tree);
  const entries = Object.entries(tree).map(([key, entry]) => `${JSON.stringify(key)}:${jsonText(entry, naming)}`);
  return `{${entries.join()}}`;
}

/** As it is sent as a parameter. */
export function plainText(tree: Tree, naming: Naming): string {
  if (tree instanceof Raw) return tree.text;
  if (tree instanceof Known || tree instanceof Fresh) return naming(tree);
  return typeof tree === 'string' ? tree : jsonText(tree, naming);
}

/** Every name that stands in a tree. */
export function namesIn(tree: Tree): (Known | Fresh)[] {
  if (tree instanceof Known || tree instanceof Fresh) return [tree];
  if (isLeaf(tree)) return [];
  return Object.values(tree).flatMap((entry) => namesIn(entry));
}

/** Every place of a tree but its root. */
export function placesOf(tree: Tree, at: Place = []): Place[] {
  if (isLeaf(tree)) return [];
  const entries: [string | number, Tree][] = Array.isArray(tree) ? tree.map((entry, index) => [index, entry]) : Object.entries(tree);
  return entries.flatMap(([key, entry]) => [[...at, key], ...placesOf(entry, [...at, key])]);
}

/** The tree with another value at a place; without the place where the value is undefined. */
export function withAt(tree: Tree, place: Place, value: Tree | undefined): Tree {
  const [key, ...rest] = place;
  if (key === undefined || isLeaf(tree)) return value ?? null;
  const inside = (entry: Tree): Tree | undefined => (rest.length ? withAt(entry, rest, value) : value);
  if (Array.isArray(tree))
    return tree.map((entry, index) => (index === key ? inside(entry) : entry)).filter((entry) => entry !== undefined);
  const entries = Object.entries(tree).map(([name, entry]) => [name, name === key ? inside(entry) : entry] as const);
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, Tree] => entry[1] !== undefined));
}
