import { filled, maxReferences, TemplateError, templateProblems } from './template.js';

describe('a template', () => {
  it('is filled with the values it refers to, whole or in part, and is otherwise left as it is', () => {
    const template = { a: [{ $from: 'input' }, { $from: 'step', path: '$.id' }], b: null, c: { d: 'text' } };
    expect(filled(template, { input: 7, step: { id: [null] } })).toEqual({ a: [7, [null]], b: null, c: { d: 'text' } });
    expect(filled({ $from: 'input' }, { input: { $from: 'data, no reference' } })).toEqual({ $from: 'data, no reference' });
  });

  it.each([
    [{ $from: 'other' }],
    [{ $from: 'toString' }],
    [{ $from: 'input', path: '$.absent' }],
    [{ $from: 'input', path: '$.constructor' }],
  ])('cannot be filled where %j stands for nothing', (template) => {
    expect(() => filled(template, { input: {} })).toThrow(TemplateError);
  });

  it('has no problem where every reference can be read', () => {
    expect(templateProblems('input', [{ $from: 'row' }, { x: { $from: 'row', path: '$.x' } }, 7], ['row'])).toEqual([]);
    expect(templateProblems('input', 'text', [])).toEqual([]);
  });

  it.each([
    [{ $from: 'unknown' }],
    [{ $from: 7 }],
    [{ $from: null }],
    [{ $from: 'row', path: 'x' }],
    [{ $from: 'row', path: 7 }],
    [{ $from: 'row', paht: '$.x' }],
    [[{ deep: [{ $from: 'toString' }] }]],
    [Array.from({ length: maxReferences + 1 }, () => ({ $from: 'row' }))],
  ])('has a problem that names the field for %j', (template) => {
    const problems = templateProblems('steps.1.input', template, ['row']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ field: 'steps.1.input', accepted: expect.any(String) as string });
  });
});
