import { type FieldProblem } from '#contracts/errors.js';
import { type TestCase, type TestCaseType } from '#contracts/test-case.js';
import { templateProblems } from '#contracts/template.js';
import { expectationProblems } from './judging/expectation.js';

type Content = Pick<TestCase, 'type' | 'input' | 'expectations' | 'max_duration_ms' | 'steps' | 'load' | 'data'>;
type Field = Exclude<keyof Content, 'type'>;

/** What each type needs and may have. */
const fieldsOfType: Record<TestCaseType, { needs: Field[]; takes: Field[] }> = {
  unit: { needs: ['input', 'expectations'], takes: ['input', 'expectations', 'max_duration_ms'] },
  integration: { needs: ['steps'], takes: ['steps'] },
  smoke: { needs: [], takes: ['input', 'expectations', 'max_duration_ms'] },
  regression: { needs: ['input', 'data'], takes: ['input', 'data'] },
  performance: { needs: ['input', 'load'], takes: ['input', 'expectations', 'load'] },
};

const acceptedWhereNeeded: Record<Field, string> = {
  input: 'any JSON other than null',
  expectations: 'a list of 1 to 50 expectations',
  max_duration_ms: 'a number',
  steps: 'a list of 1 to 20 steps',
  data: 'an object with data_set_id, label_path, prediction_path and metrics',
  load: 'an object with concurrency, and requests or duration_ms',
};

const isGiven = (value: unknown): boolean => value !== null && !(Array.isArray(value) && value.length === 0);

function stepProblems(steps: Content['steps']): FieldProblem[] {
  const carried: string[] = [];
  return steps.flatMap(({ input, expectations = [], carry = [] }, index) => {
    const problems = [
      ...templateProblems(`steps.${index}.input`, input, carried),
      ...expectationProblems(`steps.${index}.expectations`, expectations),
    ];
    for (const [place, { name }] of carry.entries()) {
      if (carried.includes(name))
        problems.push({ field: `steps.${index}.carry.${place}.name`, value: name, accepted: 'a name that is not carried yet' });
      carried.push(name);
    }
    return problems;
  });
}

function loadProblems({ requests = null, duration_ms = null }: NonNullable<Content['load']>): FieldProblem[] {
  if ((requests === null) !== (duration_ms === null)) return [];
  return [{ field: 'load.requests', value: requests, accepted: 'requests or duration_ms, one of them' }];
}

const needScore = new Set(['log_loss', 'brier', 'auc', 'calibration_error']);

function dataProblems({ metrics, score_path = null }: NonNullable<Content['data']>): FieldProblem[] {
  const scored = metrics.filter((metric) => needScore.has(metric));
  if (score_path !== null || scored.length === 0) return [];
  return [{ field: 'data.score_path', accepted: `a JSONPath: ${scored.join(', ')} need the probability` }];
}

/** What is wrong with a case beyond the types of its fields. Each problem names its field and what is accepted. */
export function caseProblems(testCase: Content): FieldProblem[] {
  const { type, input, expectations, steps, load, data } = testCase;
  const { needs, takes } = fieldsOfType[type];
  const missing = needs.filter((field) => !isGiven(testCase[field]));
  const stray = (Object.keys(acceptedWhereNeeded) as Field[]).filter((field) => isGiven(testCase[field]) && !takes.includes(field));
  return [
    ...missing.map((field) => ({ field, accepted: `${acceptedWhereNeeded[field]}: ${type} needs it` })),
    ...stray.map((field) => ({ field, accepted: `nothing: a case of type ${type} has no ${field}` })),
    ...expectationProblems('expectations', expectations),
    ...(expectations.length && input === null && takes.includes('input')
      ? [{ field: 'expectations', accepted: 'nothing without an input: there is no answer to judge' }]
      : []),
    ...stepProblems(steps),
    ...(load ? loadProblems(load) : []),
    ...(type === 'regression' ? templateProblems('input', input, ['row']) : []),
    ...(data ? dataProblems(data) : []),
  ];
}
