import { readFileSync } from 'node:fs';
import asyncapi from '@asyncapi/specs';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { Alert, alertTransitions, factStream } from '#contracts/alerts.js';
import { fieldsOf } from '#contracts/fields.js';
import { inferenceStream } from '#contracts/inference.js';
import { objectSchema } from '#gateway/schema.js';
import { RolloutEvent, rolloutEvents, subjectOfRollout } from '#contracts/rollout-event.js';
import { RunEvent, runEvents, subjectOfRun } from '#contracts/validation.js';
import { decodeMessage } from '#metrics/ingest/inference-event.js';

interface Schema {
  [key: string]: unknown;
}

interface AsyncApi {
  channels: Record<string, { address: string | null; parameters?: Record<string, { enum: string[] }> }>;
  components: {
    messages: Record<string, { headers?: Schema; payload: Schema; examples: { name: string; headers?: object; payload: object }[] }>;
    schemas: Record<string, Schema>;
  };
}

const described = JSON.parse(readFileSync('docs/asyncapi.json', 'utf8')) as AsyncApi;
const text = readFileSync('docs/events.md', 'utf8');
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const decode = (value: unknown): ReturnType<typeof decodeMessage> => decodeMessage(bytes(value), 0);

/** AsyncAPI's own schema brings its meta-schema along: `meta: false`. */
function newAjv({ meta = true } = {}): Ajv {
  const ajv = new Ajv({ strict: false, allErrors: true, meta, validateSchema: meta });
  (addFormats as unknown as (ajv: Ajv) => void)(ajv);
  return ajv;
}

/** A check against a schema of the description, or against a part of it. */
const checkOf = (schema: Schema): ReturnType<Ajv['compile']> => newAjv().compile({ ...schema, components: described.components });

const examples = Object.entries(described.components.messages).flatMap(([message, { headers, payload, examples: all }]) =>
  all.map((example) => ({ message, example, headers, payload })),
);

describe('docs/asyncapi.json', () => {
  it('is AsyncAPI 3.0', () => {
    const validate = newAjv({ meta: false }).compile(asyncapi.schemas['3.0.0'] as Schema);
    void validate(described);
    expect(validate.errors).toBeNull();
    expect(validate({ ...described, operations: { dance: { action: 'dance' } } })).toBe(false);
  });

  it('names the subject of the suite', () => {
    expect(described.channels.inferences?.address).toBe(inferenceStream.subject);
    const { required, properties } = described.components.schemas.Headers as { required: string[]; properties: object };
    expect(required).toEqual([inferenceStream.producerHeader, inferenceStream.sequenceHeader, 'Nats-Msg-Id']);
    expect(Object.keys(properties)).toEqual(required);
  });

  it.each(examples)('has an example of $message ($example.name) that fits its own schema', ({ example, headers, payload }) => {
    const check = checkOf(payload);
    void check(example.payload);
    expect(check.errors).toBeNull();
    if (headers) expect(checkOf(headers)(example.headers)).toBe(true);
  });

  it('describes the change of an alert as the suite tells it', () => {
    const { address, parameters } = described.channels.alerts!;
    expect(parameters?.transition?.enum).toEqual(alertTransitions);
    for (const transition of alertTransitions) expect(address?.replace('{transition}', transition)).toBe(factStream.ofAlert(transition));
    expect(described.components.schemas.Alert).toEqual(objectSchema([...fieldsOf(Alert).values()]));
    expect(described.components.messages.alertChange?.examples.map(({ name }) => name).sort()).toEqual([...alertTransitions].sort());
  });

  it('describes what is told of a run as the suite tells it', () => {
    const { address, parameters } = described.channels.validation!;
    expect(parameters?.event?.enum).toEqual(runEvents);
    for (const event of runEvents) expect(address?.replace('{event}', event)).toBe(subjectOfRun(event));
    expect(described.components.schemas.RunEvent).toEqual(objectSchema([...fieldsOf(RunEvent).values()]));
    expect(described.components.messages.runEvent?.examples.map(({ name }) => name).sort()).toEqual([...runEvents].sort());
  });

  it('describes what is told of a rollout as the suite tells it', () => {
    const { address, parameters } = described.channels.rollouts!;
    expect(parameters?.event?.enum).toEqual(rolloutEvents);
    for (const event of rolloutEvents) expect(address?.replace('{event}', event)).toBe(subjectOfRollout(event));
    expect(described.components.schemas.RolloutEvent).toEqual(objectSchema([...fieldsOf(RolloutEvent).values()]));
    expect(described.components.messages.rolloutEvent?.examples.map(({ name }) => name)).toEqual(['rolled_back']);
  });

  it.each(examples.filter(({ message }) => message === 'event' || message === 'batch'))(
    'has an example of $message ($example.name) that is counted',
    ({ example }) => {
      const { events, rejected } = decode(example.payload);
      expect(rejected).toEqual([]);
      expect(events.length).toBeGreaterThan(0);
    },
  );

  it.each([
    {},
    { model_id: 'm' },
    { model_id: 'M', timing_ms: 1 },
    { model_id: 'm', timing_ms: -1 },
    { model_id: 'm', timing_ms: '1' },
    { model_id: 'm', timing_ms: 1, success: 'yes' },
    { model_id: 'm', timing_ms: 1, error: 5 },
    { model_id: 'm', timing_ms: 1, occurred_at: 'today' },
    { model_id: 'm', timing_ms: 1, event_id: '' },
    { model_id: 'm', timing_ms: 1, variant: 'a\u0000' },
    { model_id: 'm', timing_ms: 1, flag_key: 'x'.repeat(129) },
    { model_id: 'm', timing_ms: 1, success: null, error: null, occurred_at: null, event_id: null, unknown: 1 },
    { model_id: 'm', timing_ms: 1e7, error: 'x'.repeat(5_000), event_id: 'a b' },
  ])('judges %j as the metrics service does', (event) => {
    expect(checkOf({ $ref: '#/components/schemas/InferenceEvent' })(event)).toBe(decode(event).rejected.length === 0);
    const batch = { events: [event] };
    expect(checkOf({ $ref: '#/components/schemas/InferenceBatch' })(batch)).toBe(decode(batch).rejected.length === 0);
  });
});

describe('docs/events.md', () => {
  const [inferences = '', alerts = '', runs = '', rollouts = ''] = text.split(/^## (?:Alerts|Validation runs|Rollouts)$/m);
  const blocksOf = (part: string): string[] => [...part.matchAll(/```json\n([\s\S]*?)```/g)].map(([, block]) => block!);
  const blocks = blocksOf(inferences);
  const cli = /^nats .*request (\S+) ([\s\S]*?)'(\{.*?\})'$/m.exec(text);

  it.each([...blocks, cli?.[3] ?? ''])('has an example that is counted: %s', (block) => {
    const { events, rejected } = decode(block);
    expect(rejected).toEqual([]);
    expect(events.length).toBeGreaterThan(0);
  });

  it('has the subject, the headers and the limits of the suite', () => {
    expect(blocks).toHaveLength(2);
    expect(cli?.[1]).toBe(inferenceStream.subject);
    for (const name of [inferenceStream.producerHeader, inferenceStream.sequenceHeader, 'Nats-Msg-Id'])
      expect(cli?.[2]).toContain(`-H ${name}:`);
    for (const word of [inferenceStream.subject, inferenceStream.name, inferenceStream.subjects]) expect(text).toContain(word);
    expect(decode({ events: new Array(501).fill({ model_id: 'm', timing_ms: 1 }) }).rejected[0]?.code).toBe('INVALID_BATCH');
  });

  it('tells of alerts with the subjects of the suite and an example that fits the description', () => {
    for (const transition of alertTransitions) expect(alerts).toContain(`\`${factStream.ofAlert(transition)}\``);
    expect(alerts).toContain(`\`${factStream.name}\``);
    const [example, ...more] = blocksOf(alerts);
    expect(more).toEqual([]);
    const check = checkOf({ $ref: '#/components/schemas/AlertChange' });
    void check(JSON.parse(example!));
    expect(check.errors).toBeNull();
  });

  it('tells of runs with the subjects of the suite and an example that fits the description', () => {
    for (const event of runEvents) expect(runs).toContain(`\`${subjectOfRun(event)}\``);
    const [example, ...more] = blocksOf(runs);
    expect(more).toEqual([]);
    const check = checkOf({ $ref: '#/components/schemas/RunEvent' });
    void check(JSON.parse(example!));
    expect(check.errors).toBeNull();
  });

  it('tells of rollouts with the subjects of the suite and an example that fits the description', () => {
    for (const event of rolloutEvents) expect(rollouts).toContain(`\`${subjectOfRollout(event)}\``);
    const [example, ...more] = blocksOf(rollouts);
    expect(more).toEqual([]);
    const check = checkOf({ $ref: '#/components/schemas/RolloutEvent' });
    void check(JSON.parse(example!));
    expect(check.errors).toBeNull();
  });

  it('shows the way for any language in at most 20 lines', () => {
    const [, code = ''] = /## In any language\n\n```\n([\s\S]*?)```/.exec(text) ?? [];
    expect(code.split('\n').filter(Boolean).length).toBeLessThanOrEqual(20);
  });
});
