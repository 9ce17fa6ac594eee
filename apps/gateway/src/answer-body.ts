/** An answer as it is sent. */
interface AnswerBody {
  /** Node writes a text with the headers in one piece, bytes as a piece of their own. */
  body: string;
  /** Null of what has none. */
  revision: number | null;
}

const known = new WeakMap<object, AnswerBody>();
const lastingOnes = new WeakSet();

/** Marks what is answered more than once, and never changed in place, though it has no revision. */
export function lasting<T extends object>(data: T): T {
  lastingOnes.add(data);
  return data;
}

/** `{success, data}` as it is sent, made once for what lasts: what has a revision, and what is marked. */
export function answerBody(data: object): AnswerBody {
  const before = known.get(data);
  if (before) return before;
  const revision = 'revision' in data ? Number(data.revision) : null;
  const answer = { body: `{"success":true,"data":${JSON.stringify(data)}}`, revision };
  if (revision !== null || lastingOnes.has(data)) known.set(data, answer);
  return answer;
}
