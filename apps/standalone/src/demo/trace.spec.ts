import { readFileSync } from 'node:fs';
import { Sketch } from '#statistics/sketch.js';
import { nearestRank, parseTrace } from './trace.js';

const requests = parseTrace(readFileSync('examples/trace/azure-llm-inference-conv-2023.csv', 'utf8'));

describe('the request trace', () => {
  it('has every request with its arrival and its derived time', () => {
    expect(requests).toHaveLength(19_366);
    expect(requests[0]).toEqual({ at_ms: 0, timing_ms: 35 + 0.22 * 374 + 28 * 44, error: null });
    expect(requests.at(-1)?.at_ms).toBeGreaterThan(58 * 60_000);
  });

  it.each([0.5, 0.95, 0.99])('has its quantile %d within 1 %% of the exact one in a sketch', (q) => {
    const timings = requests.map(({ timing_ms }) => timing_ms);
    const sketch = new Sketch();
    for (const timing of timings) sketch.add(timing);
    const exact = nearestRank(timings, q);
    expect(Math.abs(sketch.quantile(q) - exact) / exact).toBeLessThanOrEqual(0.01);
  });

  it('refuses a line of another form, naming it', () => {
    expect(() => parseTrace('TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\nnonsense')).toThrow('Line 3');
  });
});
