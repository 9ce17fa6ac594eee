import { fc } from '#testing/property.js';
import { EventBatches, messageOf } from './event-batches.js';

/** What is sent for these events without waiting between them. */
function sentFor(events: string[]): { messages: string[]; settled: Promise<void>[] } {
  const messages: string[] = [];
  const batches = new EventBatches(60_000, async (message) => {
    messages.push(Buffer.from(message).toString());
    if (messages.length % 2 === 0) throw new Error(`message ${messages.length}`);
  });
  const settled = events.map((event) => batches.add(event));
  for (const one of settled) one.catch(() => undefined);
  batches.flush();
  return { messages, settled };
}

const eventsIn = (message: string): unknown[] => {
  const body = JSON.parse(message) as { events?: unknown[] };
  return body.events ?? [body];
};

describe('EventBatches', () => {
  it('keeps every event, in its order, in messages of 500 events and 64 KiB at the most, none of them smaller than need be', async () => {
    const event = fc.string({ maxLength: 400 }).map((error) => JSON.stringify({ error }));
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 2_000, size: 'max' }), async (events) => {
        const { messages, settled } = sentFor(events);
        expect(messages.flatMap(eventsIn)).toEqual(events.map((text) => JSON.parse(text) as unknown));
        messages.forEach((message, index) => {
          expect(Buffer.byteLength(message)).toBeLessThanOrEqual(64 * 1024);
          expect(eventsIn(message).length).toBeLessThanOrEqual(500);
          const next = messages[index + 1];
          const full = eventsIn(message).length === 500;
          if (next && !full) {
            const first = JSON.stringify(eventsIn(next)[0]);
            expect(Buffer.byteLength(message) + Buffer.byteLength(first)).toBeGreaterThan(64 * 1024 - 100);
          }
        });
        const outcomes = await Promise.allSettled(settled);
        let at = 0;
        messages.forEach((message, index) => {
          for (const _ of eventsIn(message)) expect(outcomes[at++]?.status).toBe(index % 2 === 0 ? 'fulfilled' : 'rejected');
        });
      }),
      { numRuns: 30 },
    );
  });

  it('sends an event that is too large for a shared message alone', () => {
    const [small, large] = ['{"a":1}', JSON.stringify({ error: 'x'.repeat(70_000) })];
    expect(sentFor([small, large, small]).messages).toEqual([small, large, small]);
  });

  it('lets events linger no longer that are enough, and takes along what is added before the running code has ended', async () => {
    const sent: number[] = [];
    const batches = new EventBatches(
      60_000,
      async (message) => {
        sent.push(eventsIn(Buffer.from(message).toString()).length);
      },
      3,
    );
    const add = (count: number): Promise<void>[] => Array.from({ length: count }, (_, index) => batches.add(`{"a":${index}}`));
    // The first message goes at the end of the turn.
    await Promise.all(add(1));
    await Promise.all(add(3));
    await Promise.all(add(5));
    await Promise.all(add(1_004));
    const rest = add(2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(sent).toEqual([1, 3, 5, 500, 500, 4]);
    batches.flush();
    await Promise.all(rest);
    expect(sent.at(-1)).toBe(2);
  });

  it('sends at the end of the turn after a pause, and otherwise what has lingered since the message before', async () => {
    const messages: { text: string; after_ms: number }[] = [];
    const began = performance.now();
    const batches = new EventBatches(50, async (message) => {
      messages.push({ text: Buffer.from(message).toString(), after_ms: performance.now() - began });
    });
    await Promise.all([batches.add('{"a":1}'), batches.add('{"a":2}')]);
    const third = batches.add('{"a":3}');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all([third, batches.add('{"a":4}')]);
    expect(messages.map(({ text }) => text)).toEqual(['{"events":[{"a":1},{"a":2}]}', '{"events":[{"a":3},{"a":4}]}']);
    // Whatever the machine is busy with, the second can only be later.
    expect(messages[1]!.after_ms - messages[0]!.after_ms).toBeGreaterThan(45);
  });
});

describe('messageOf', () => {
  it('leaves a single event as it is', () => {
    expect(Buffer.from(messageOf(['{}'])).toString()).toBe('{}');
  });
});
