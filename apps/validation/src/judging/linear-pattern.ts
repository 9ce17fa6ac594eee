/**
 * Patterns that match in time proportional to pattern × text, whatever they are: no backtracking, so no pattern can hang the process.
 * The syntax is the part of JavaScript's regular expressions (flag u) that a finite automaton can run:
 * characters, `.`, classes `[a-z]`, escapes (\d \w \s \p{L} \n \. …), groups `(…)` and `(?:…)`, `|`, `* + ? {n} {n,} {n,m}`, `^` and `$`.
 * Not part of it: back-references, look-around, \b, lazy quantifiers, named groups and flags.
 */
export const maxPatternLength = 200;
export const maxTextLength = 4000;
const maxStates = 300;

export const acceptedPattern = `a pattern of 1 to ${maxPatternLength} characters without back-references, look-around, \\b and lazy quantifiers`;

/** Not such a pattern; the message says where it is wrong. */
export class PatternError extends Error {}

type Node =
  | { kind: 'character'; matches: (character: string) => boolean }
  | { kind: 'start' | 'end' }
  | { kind: 'sequence' | 'choice'; parts: Node[] }
  | { kind: 'repeat'; part: Node; min: number; max: number };

type State =
  | { kind: 'character'; matches: (character: string) => boolean; next: number }
  | { kind: 'start' | 'end'; next: number }
  | { kind: 'fork'; nexts: number[] }
  | { kind: 'match' };

/** What one character must be, told by the built-in engine: it cannot backtrack on a single character. */
function oneCharacter(source: string): Node {
  if (/^[^\\.[]$/su.test(source)) return { kind: 'character', matches: (character) => character === source };
  let expression: RegExp;
  try {
    expression = new RegExp(`^${source}$`, 'u');
  } catch {
    throw new PatternError(`${source} is not a character, class or escape`);
  }
  const known = new Map<string, boolean>();
  const matches = (character: string): boolean => {
    const answer = known.get(character) ?? expression.test(character);
    known.set(character, answer);
    return answer;
  };
  return { kind: 'character', matches };
}

const atom =
  /\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[dDwWsSnrtfv]|[\^$\\.*+?()[\]{}|/])|[^\\^$*+?()[\]{}|]/uy;
const quantifier = /[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/uy;

function parse(pattern: string): Node {
  let at = 0;

  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at;
    const found = expression.exec(pattern);
    if (found) at += found[0].length;
    return found;
  };
  const takeText = (text: string): boolean => {
    const found = pattern.startsWith(text, at);
    if (found) at += text.length;
    return found;
  };

  function choice(): Node {
    const parts = [sequence()];
    while (takeText('|')) parts.push(sequence());
    return parts.length === 1 && parts[0] ? parts[0] : { kind: 'choice', parts };
  }

  function sequence(): Node {
    const parts: Node[] = [];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') parts.push(repeated());
    return { kind: 'sequence', parts };
  }

  function repeated(): Node {
    if (takeText('^')) return { kind: 'start' };
    if (takeText('$')) return { kind: 'end' };
    const part = single();
    const found = take(quantifier);
    if (!found) return part;
    const [text, least, comma, most] = found;
    if (text === '*' || text === '+') return { kind: 'repeat', part, min: text === '+' ? 1 : 0, max: Infinity };
    if (text === '?') return { kind: 'repeat', part, min: 0, max: 1 };
    const min = Number(least);
    const max = most !== undefined ? Number(most) : comma ? Infinity : min;
    if (max < min) throw new PatternError(`${text} has its numbers in the wrong order`);
    return { kind: 'repeat', part, min, max };
  }

  function single(): Node {
    if (takeText('(?:') || (pattern[at] === '(' && pattern[at + 1] !== '?' && takeText('('))) {
      const inner = choice();
      if (!takeText(')')) throw new PatternError('a ( is not closed');
      return inner;
    }
    const found = take(atom);
    if (!found) throw new PatternError(`${JSON.stringify(pattern.slice(at, at + 3))} at position ${at} is not part of the accepted syntax`);
    return oneCharacter(found[0]);
  }

  const whole = choice();
  if (at < pattern.length) throw new PatternError(`the ) at position ${at} closes nothing`);
  return whole;
}

/** How many states a node becomes, at least 1; told before they are built, so that (((a{99}){99}){99} costs nothing. */
function sizeOf(node: Node): number {
  if (node.kind === 'sequence' || node.kind === 'choice') {
    const inner = node.parts.reduce((sum, part) => sum + sizeOf(part), 0);
    return node.kind === 'choice' ? inner + 1 : Math.max(inner, 1);
  }
  if (node.kind !== 'repeat') return 1;
  const { min, max } = node;
  return max === Infinity ? sizeOf(node.part) * (min + 1) + 1 : Math.max(sizeOf(node.part) * max + max - min, 1);
}

/** Appends the node's states and returns where it begins; `next` is where it goes on. */
function build(node: Node, next: number, states: State[]): number {
  const add = (state: State): number => states.push(state) - 1;
  switch (node.kind) {
    case 'character':
      return add({ kind: 'character', matches: node.matches, next });
    case 'start':
    case 'end':
      return add({ kind: node.kind, next });
    case 'choice':
      return add({ kind: 'fork', nexts: node.parts.map((part) => build(part, next, states)) });
    case 'sequence':
      return node.parts.reduceRight((after, part) => build(part, after, states), next);
    case 'repeat': {
      let begin = next;
      if (node.max === Infinity) {
        const loop: State = { kind: 'fork', nexts: [next] };
        begin = add(loop);
        loop.nexts.push(build(node.part, begin, states));
      } else {
        for (let count = node.min; count < node.max; count += 1)
          begin = add({ kind: 'fork', nexts: [next, build(node.part, begin, states)] });
      }
      for (let count = 0; count < node.min; count += 1) begin = build(node.part, begin, states);
      return begin;
    }
  }
}

/** Whether the pattern occurs anywhere in a text, as RegExp.test does; `^` and `$` anchor it. Callers bound the text by maxTextLength. */
export type Matches = (text: string) => boolean;

/** Compiles a pattern. Throws PatternError. */
export function compilePattern(pattern: string): Matches {
  if (pattern.length === 0 || pattern.length > maxPatternLength) throw new PatternError(`it has ${pattern.length} characters`);
  const tree = parse(pattern);
  if (sizeOf(tree) > maxStates) throw new PatternError('its repetitions are too many');
  const states: State[] = [{ kind: 'match' }];
  const begin = build(tree, 0, states);

  return (text) => {
    const characters = [...text];
    // The position at which a state was last reached, so that no state is visited twice for one character.
    const reachedAt = new Int32Array(states.length).fill(-1);
    let waiting: number[] = [];
    for (let position = 0; position <= characters.length; position += 1) {
      const reached: number[] = [];
      const reach = (index: number): void => {
        if (reachedAt[index] === position) return;
        reachedAt[index] = position;
        reached.push(index);
      };
      waiting.forEach(reach);
      reach(begin);
      waiting = [];
      const character = characters[position];
      // The list grows while it is walked: this follows every step that takes no character.
      for (const index of reached) {
        const state = states[index];
        if (!state || state.kind === 'match') return true;
        if (state.kind === 'fork') state.nexts.forEach(reach);
        else if (state.kind === 'character') {
          if (character !== undefined && state.matches(character)) waiting.push(state.next);
        } else if (position === (state.kind === 'start' ? 0 : characters.length)) reach(state.next);
      }
    }
    return false;
  };
}
