import { type TestCase } from '#contracts/test-case.js';
import { caseProblems } from './case-rules.js';

type Content = Parameters<typeof caseProblems>[0];

const empty: Content = { type: 'unit', input: null, expectations: [], max_duration_ms: null, steps: [], load: null, data: null };
const expectations: TestCase['expectations'] = [{ op: 'exists' }];
const step = { input: 1 };
const load = { concurrency: 1, requests: 1 };
const data = { data_set_id: 'a'.repeat(64), label_path: '$.y', prediction_path: '$', metrics: ['accuracy'] };
const fields = (content: Partial<Content>): string[] => caseProblems({ ...empty, ...content }).map(({ field }) => field);

describe('a test case', () => {
  it.each<[Partial<Content>]>([
    [{ input: {}, expectations, max_duration_ms: 5 }],
    [
      {
        type: 'integration',
        steps: [
          { input: 1, carry: [{ name: 'a', path: '$' }] },
          { input: { $from: 'a' }, expectations },
        ],
      },
    ],
    [{ type: 'smoke' }],
    [{ type: 'smoke', input: 0, expectations, max_duration_ms: 5 }],
    [{ type: 'performance', input: false, load }],
    [{ type: 'regression', input: { x: { $from: 'row', path: '$.x' } }, data }],
    [{ type: 'regression', input: { $from: 'row' }, data: { ...data, metrics: ['brier'], score_path: '$.p' } }],
    [{ type: 'performance', input: 1, expectations, load: { concurrency: 50, duration_ms: 100, requests: null, limits: {} } }],
  ])('can be %j', (content) => {
    expect(fields(content)).toEqual([]);
  });

  it.each<[Partial<Content>, string[]]>([
    [{}, ['input', 'expectations']],
    [{ input: 1, expectations, steps: [step], load }, ['steps', 'load']],
    [{ type: 'integration' }, ['steps']],
    [{ type: 'integration', steps: [step], input: 1, expectations }, ['input', 'expectations']],
    [{ type: 'integration', steps: [{ input: { $from: 'a' }, carry: [{ name: 'a', path: '$' }] }] }, ['steps.0.input']],
    [{ type: 'integration', steps: [{ input: 1, expectations: [{ op: 'range' }] }] }, ['steps.0.expectations.0.min']],
    [{ type: 'integration', steps: [1, 2].map((input) => ({ input, carry: [{ name: 'a', path: '$' }] })) }, ['steps.1.carry.0.name']],
    [{ type: 'smoke', expectations }, ['expectations']],
    [{ type: 'performance', input: 1 }, ['load']],
    [{ type: 'regression' }, ['input', 'data']],
    [{ type: 'regression', input: { $from: 'input' }, data }, ['input']],
    [{ type: 'regression', input: 1, data, expectations }, ['expectations']],
    [{ type: 'regression', input: 1, data: { ...data, metrics: ['mae', 'auc'] } }, ['data.score_path']],
    [{ type: 'performance', input: 1, load: { concurrency: 1 } }, ['load.requests']],
    [{ type: 'performance', input: 1, load: { ...load, duration_ms: 100 } }, ['load.requests']],
    [{ type: 'performance', input: 1, load, max_duration_ms: 5 }, ['max_duration_ms']],
  ])('cannot be %j', (content, wrong) => {
    expect(fields(content)).toEqual(wrong);
    for (const { accepted } of caseProblems({ ...empty, ...content })) expect(accepted).not.toBe('');
  });
});
