import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Flag } from '#contracts/flags.js';
import { compileFlag, type Evaluated } from '#evaluation/compiled-flag.js';
import { importable, readDocument } from './imported-flag.js';

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve('@unleash/client-specification/package.json')), 'specifications');
const read = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;

interface Case {
  description: string;
  context: Record<string, unknown>;
  toggleName: string;
  expectedResult: unknown;
}

interface Specification {
  state?: Record<string, unknown>;
  tests?: Case[];
  variantTests?: Case[];
}

const buckets =
  'flagd hashes keys into other buckets than Unleash: the shares are carried over, who is in them is not, and the report says so of the flag';
const regex = 'flagd has no regular expressions: the strategy is left out and reported';
const networks = 'flagd has no operation for networks: the strategy is left out and reported';
const delta = 'how a client fetches changes, not how it evaluates';

/** The cases that are not ours to pass, and why: whole specifications, or those of one whose description begins so. */
const outOfScope: Record<string, [why: string, cases: string[]][]> = {
  '08-variants.json': [
    [
      buckets,
      [
        'Feature.Variants.B should give variant2 for user 2',
        'Feature.Variants.B should give variant 1 for user 0',
        'Feature.Variants.C should',
        'Feature.Variants.D should',
      ],
    ],
  ],
  '10-flexible-rollout-strategy.json': [[buckets, ['Feature.flexibleRollout.10 should']]],
  '12-custom-stickiness.json': [
    [
      buckets,
      [
        'Feature.flexible.rollout.custom.stickiness_50 should be enabled for customField=388',
        'Feature.flexible.rollout.custom.stickiness_50 should be enabled for customField=39',
        'Feature.flexible.rollout.custom.stickiness_100 and',
      ],
    ],
  ],
  '13-constraint-operators.json': [
    [
      'flagd compares texts with their case: the strategy is left out and reported',
      ['F2.startsWith.caseInsensitve should', 'F3.endsWith.ignoringCase should be enabled'],
    ],
  ],
  '15-global-constraints.json': [[buckets, ['F9.globalSegmentOn and customField=616 yields green']]],
  '16-strategy-variants.json': [
    [
      buckets,
      [
        'Feature.strategy.multiple.variants should choose',
        'Feature.strategy.numeric.variants should choose second variant',
        'Feature.strategy.variants.stickiness should inherit stickiness from the strategy - second variant',
      ],
    ],
  ],
  '18-utf8-flag-names.json': [['a flag_key has ASCII letters only: such a feature is refused and reported', ['Feature.UTF-8']]],
  '19-delta-api-hydration.json': [[delta, ['']]],
  '20-delta-api-events.json': [[delta, ['']]],
  '21-regex-constraint-operators.json': [[regex, ['']]],
  '22-cidr-constraint-operators.json': [[networks, ['']]],
};

const excluded = (file: string, { description }: Case): boolean =>
  (outOfScope[file] ?? []).some(([, cases]) => cases.some((start) => description.startsWith(start)));

/** OpenFeature's contexts are flat. */
const attributesOf = ({ properties, ...context }: Record<string, unknown>): Record<string, unknown> => ({
  ...context,
  ...(properties as object),
});

let passed = 0;

describe.each(read<string[]>('index.json'))('Unleash’s client specification, %s', (file) => {
  const { state, tests = [], variantTests = [] } = read<Specification>(file);
  const { candidates } = readDocument('unleash', state ?? {});
  const imported = new Map(candidates.map((candidate) => [candidate.flag_key, importable(candidate, [])]));

  const say = (flag_key: string, context: Record<string, unknown>): Evaluated | null => {
    const flag = imported.get(flag_key)?.flag;
    if (!flag) return null;
    const whole = { state: 'ENABLED', targeting: null, variant_models: {}, ...flag, split: null } as unknown as Flag;
    const now_ms = typeof context.currentTime === 'string' ? Date.parse(context.currentTime) : Date.now();
    return compileFlag(whole, {}).evaluate(attributesOf(context), now_ms);
  };
  const isOn = ({ toggleName, context }: Case): unknown => say(toggleName, context)?.value ?? false;

  const judge = (cases: Case[], check: (test: Case) => void): void => {
    const ours = cases.filter((test) => !excluded(file, test));
    if (!ours.length) return;
    it.each(ours)('$description', (test) => {
      check(test);
      passed += 1;
    });
  };
  judge(tests, (test) => expect(isOn(test)).toBe(test.expectedResult));
  judge(variantTests, (test) => {
    const expected = test.expectedResult as { name: string; payload?: unknown; feature_enabled: boolean };
    expect(say(`${test.toggleName}.variant`, test.context)?.value ?? { name: 'disabled' }).toEqual({
      name: expected.name,
      ...(expected.payload !== undefined && { payload: expected.payload }),
    });
    expect(isOn(test)).toBe(expected.feature_enabled);
  });

  it('reports what is lost of every flag that has a case out of scope', () => {
    for (const test of [...tests, ...variantTests].filter((one) => excluded(file, one) && imported.has(one.toggleName))) {
      const keys = [test.toggleName, `${test.toggleName}.variant`];
      expect(keys.flatMap((key) => imported.get(key)?.lost ?? [])).not.toEqual([]);
    }
  });
});

it('is passed in 198 cases', () => {
  expect(passed).toBe(198);
});
