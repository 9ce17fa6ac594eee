/** JSON of things that have a revision: views hold the same objects until they change, and nobody changes one in place. */
const texts = new WeakMap<object, string>();

export function recordText(record: object): string {
  let text = texts.get(record);
  if (text === undefined) {
    text = JSON.stringify(record);
    texts.set(record, text);
  }
  return text;
}
