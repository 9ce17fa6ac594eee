/** What a PromQL expression refers to. */
export interface PromqlUse {
  /** Metrics, or series of them such as x_bucket, with the labels that are named of each. */
  selectors: { name: string; labels: string[] }[];
  /** Labels that results are grouped, joined or quantiled by: of any of the metrics. */
  grouping: string[];
}

const keywords = new Set([
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'inf',
  'nan',
]);
const grouped = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

type Token = { kind: 'name' | 'text' | 'other'; text: string };

const tokenPattern = /\s+|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|\d[\d.]*(?:e[+-]?\d+)?[a-z]*|[=!]~|[<>=!]=|./g;

const tokensOf = (expression: string): Token[] =>
  [...expression.matchAll(tokenPattern)]
    .map(([text]): Token => ({ kind: /^[a-zA-Z_:]/.test(text) ? 'name' : text.startsWith('"') ? 'text' : 'other', text }))
    .filter(({ text }) => text.trim() !== '');

/** Reads selectors and groupings; throws for brackets that do not close. */
export function readPromql(expression: string): PromqlUse {
  const tokens = tokensOf(expression);
  const use: PromqlUse = { selectors: [], grouping: [] };
  const listFrom = (start: number, close: string): { names: string[]; end: number } => {
    const names: string[] = [];
    for (let at = start; at < tokens.length; at++) {
      if (tokens[at]!.text === close) return { names, end: at };
      const before = tokens[at - 1]!.text;
      if (tokens[at]!.kind === 'name' && (before === ',' || at === start)) names.push(tokens[at]!.text);
    }
    throw new Error(`${close} is missing in ${expression}`);
  };
  for (let at = 0; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!;
    if (kind !== 'name') continue;
    const next = tokens[at + 1]?.text;
    if (grouped.has(text) && next === '(') {
      const { names, end } = listFrom(at + 2, ')');
      use.grouping.push(...names);
      at = end;
    } else if (next === '{') {
      const { names, end } = listFrom(at + 2, '}');
      use.selectors.push({ name: text, labels: names });
      at = end;
    } else if (!keywords.has(text) && next !== '(' && !isFollowedByGrouping(tokens, at)) use.selectors.push({ name: text, labels: [] });
  }
  const depth = [...expression.replace(/"(?:[^"\\]|\\.)*"/g, '')].reduce((sum, one) => sum + (one === '(' ? 1 : one === ')' ? -1 : 0), 0);
  if (depth !== 0) throw new Error(`Brackets do not match in ${expression}`);
  return use;
}

/** `sum by (…)`: sum is a function there. */
const isFollowedByGrouping = (tokens: Token[], at: number): boolean =>
  ['by', 'without'].includes(tokens[at + 1]?.text ?? '') && tokens[at + 2]?.text === '(';
