import { type FieldProblem, invalidInput } from './errors.js';

const problems = (count: number): FieldProblem[] => Array.from({ length: count }, (_, at) => ({ field: `k${at}`, accepted: 'nothing' }));

describe('invalid input', () => {
  it('names its fields', () => {
    const { message, details } = invalidInput(problems(3));
    expect(message).toBe('Invalid input: k0, k1, k2');
    expect(details).toEqual({ fields: problems(3) });
  });

  it('names a field with two problems once', () => {
    expect(invalidInput([...problems(1), ...problems(1)]).message).toBe('Invalid input: k0');
  });

  it('is bounded, however much is wrong', () => {
    const { message, details } = invalidInput(problems(100_000));
    expect(message).toBe('Invalid input: k0, k1, k2, k3, k4, k5, k6, k7, k8, k9 and 99990 more');
    expect(details).toEqual({ fields: problems(100), further: 99_900 });
  });

  it('shortens what is no field name of ours', () => {
    const { message, details } = invalidInput([{ field: 'k'.repeat(700_000), accepted: 'nothing' }]);
    expect(message).toBe(`Invalid input: ${'k'.repeat(80)}…`);
    expect(details).toEqual({ fields: [{ field: `${'k'.repeat(80)}…`, accepted: 'nothing' }] });
  });
});
