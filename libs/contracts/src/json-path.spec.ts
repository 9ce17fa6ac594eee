import { parsePath, valueAt } from './json-path.js';

describe('JSON paths', () => {
  it.each([
    ['$', []],
    ['$.outputs[0].data[1]', ['outputs', 0, 'data', 1]],
    ["$['a b'].c", ['a b', 'c']],
    ['$["it\'s"]["q\\"]"]', ["it's", 'q"]']],
    ["$['a\\'b\\\\']", ["a'b\\"]],
    ["$['']", ['']],
    ['$.über_1-x', ['über_1-x']],
    ["$['0']", ['0']],
  ])('reads %s', (text, path) => {
    expect(parsePath(text)).toEqual(path);
  });

  it.each([
    '',
    'a',
    '.a',
    '$.',
    '$a',
    '$..a',
    '$.*',
    '$[*]',
    '$[-1]',
    '$[01]',
    '$[1.5]',
    '$[a]',
    "$['a]",
    '$.a b',
    '$[0',
    '$[?(@.a)]',
    '$.1a',
    ' $',
    '$ ',
    `$.${'a'.repeat(500)}`,
  ])('does not accept %j', (text) => {
    expect(parsePath(text)).toBeNull();
  });

  it('leads to a value, to null and to nothing', () => {
    const root = { outputs: [{ data: [0.25, null] }], 'a b': { c: 0 } };
    const at = (text: string): unknown => valueAt(root, parsePath(text) ?? ['not a path']);
    expect(at('$')).toBe(root);
    expect(at('$.outputs[0].data[0]')).toBe(0.25);
    expect(at('$.outputs[0].data[1]')).toBeNull();
    expect(at("$['a b'].c")).toBe(0);
    for (const text of [
      '$.outputs[1]',
      '$.outputs[0].data[0].x',
      '$.outputs[0].data[1].x',
      '$.nothing.at.all',
      "$.outputs['0']",
      "$['a b'][0]",
    ]) {
      expect(at(text)).toBeUndefined();
    }
  });

  it('sees no inherited property', () => {
    for (const text of ['$.constructor', '$.__proto__', '$.toString', '$.list.length', '$.list.map', '$.text.length', '$.text[0]']) {
      expect(valueAt({ list: [1], text: 'abc' }, parsePath(text) ?? [])).toBeUndefined();
    }
  });
});
