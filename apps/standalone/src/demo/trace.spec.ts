import { readFileSync } from 'node:fs';
import { Sketch } from '#statistics/sketch.js';
import { nearestRank, parseTrace } from './trace.js';

const file = new URL('../../../../examples/trace/azure-llm-inference-conv-2023.csv', import.meta.url);
const requests = parseTrace(readFileSync(file, 'utf8'));
const timings = requests.map(({ timing_ms }) => timing_ms);
const header = 'TIMESTAMP,ContextTokens,GeneratedTokens';

// Computed from the file by another program, in exact fractions.
const exactMs = [
  [0.5, 3_897.48],
  [0.95, 12_908.3],
  [0.99, 17_083.44],
] as const;

describe('the request trace', () => {
  it('has every request with its arrival and its derived time', () => {
    expect(requests).toHaveLength(19_366);
    expect(requests[0]).toEqual({ at_ms: 0, timing_ms: 1_349.28, error: null });
    expect(requests[1]).toEqual({ at_ms: 4_315, timing_ms: 3_174.12, error: null });
    expect(requests.at(-1)).toEqual({ at_ms: 3_501_722, timing_ms: 5_202.34, error: null });
  });

  it('arrives in the order of its lines', () => {
    expect(requests.every(({ at_ms }, index) => index === 0 || at_ms >= requests[index - 1]!.at_ms)).toBe(true);
  });

  it('times out where the derived time passes 20 s, and nowhere else', () => {
    const failed = requests.filter(({ error }) => error !== null);
    expect(failed).toHaveLength(52);
    expect(failed.every(({ timing_ms, error }) => timing_ms > 20_000 && error!.startsWith('timeout_error:'))).toBe(true);
    expect(Math.max(...timings)).toBe(28_280.3);
  });

  it.each(exactMs)('has the quantile %d at %d ms, and a sketch has it within 1 %%', (q, exact) => {
    expect(nearestRank(timings, q)).toBe(exact);
    const sketch = new Sketch();
    for (const timing of timings) sketch.add(timing);
    expect(Math.abs(sketch.quantile(q) - exact) / exact).toBeLessThanOrEqual(0.01);
  });
});

describe('parseTrace', () => {
  it.each([
    ['2023-11-16 18:15:46.6805900,1000,0', 'model_error: no token was generated'],
    ['2023-11-16 18:15:46.6805900,0,713', null],
    ['2023-11-16 18:15:46.6805900,5,713', 'timeout_error: no answer within 20000 ms'],
  ])('reads %s with the error %s', (line, error) => {
    expect(parseTrace(`${header}\n${line}\n`)[0]?.error).toBe(error);
  });

  it.each([
    'nonsense',
    '2023-11-16 18:15:46.68,,44',
    '2023-11-16 18:15:46.680,374,',
    '2023-11-16 18:15:46.680,374,4.5',
    '2023-13-41 18:15:46.680,1,1',
  ])('refuses the line %p, naming its number', (line) => {
    expect(() => parseTrace(`${header}\n2023-11-16 18:15:46.680,374,44\n${line}`)).toThrow('Line 3');
  });

  it('reads nothing from a file that has only its header', () => {
    expect(parseTrace(`${header}\r\n`)).toEqual([]);
  });
});

describe('nearestRank', () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.51, 3],
    [[7], 0.99, 7],
    [[2, 1], 0, 1],
    [[], 0.5, 0],
  ])('of %j at %d is %d', (values, q, expected) => {
    expect(nearestRank(values, q)).toBe(expected);
  });
});
