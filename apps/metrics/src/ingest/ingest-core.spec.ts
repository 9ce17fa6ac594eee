import { ErrorTypes } from './error-types.js';
import { IngestCore, type Taken } from './ingest-core.js';

const outcome = { counted: 0, clamped: 0, letters: 0, repeated_messages: 0, repeated_events: 0, model_ids: [], sums: [] };

describe('IngestCore', () => {
  it('finishes what is in hand when it is stopped, and gives back at once what it has only queued', async () => {
    const done: string[] = [];
    let commit: () => void = () => undefined;
    const committing = new Promise<void>((resolve) => (commit = resolve));
    let begun: () => void = () => undefined;
    const inHand = new Promise<void>((resolve) => (begun = resolve));
    const core = new IngestCore({
      clock: { now: () => 0, sleep: () => Promise.resolve() },
      existence: () => Promise.resolve(new Map()),
      types: new ErrorTypes(),
      transaction: async () => {
        begun();
        await committing;
        return outcome;
      },
      isTransient: () => true,
      committed: () => undefined,
      failed: () => undefined,
    });
    const taken = (name: string): Taken => ({
      message: {
        source: 'p',
        sequence: 0,
        place: { sequence: 1, stored_ms: 0 },
        body: new Uint8Array(),
        batch: false,
        events: [],
        rejected: [],
      },
      deliveries: 1,
      delivery: { ack: () => done.push(`ack ${name}`), defer: (ms) => done.push(`defer ${name} ${ms}`), extend: () => undefined },
    });
    const running = core.run();
    core.take(taken('first'));
    await inHand;
    core.take(taken('second'));
    core.stop();
    core.take(taken('third'));
    commit();
    await running;
    expect(done).toEqual(['defer second 0', 'defer third 0', 'ack first']);
  });
});
