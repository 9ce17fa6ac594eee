import { system } from '#runtime/caller.js';
import { type Logger } from '#runtime/logger.js';
import { type Nats } from '#runtime/nats.js';
import { IdempotencyStore } from './idempotency.store.js';

describe('an idempotency key that cannot be looked up', () => {
  it('is answered with 503, and found in the log by the request id', async () => {
    const failures: unknown[] = [];
    const logger = { failure: (_message: string, _error: unknown, fields: unknown) => failures.push(fields) } as unknown as Logger;
    const store = new IdempotencyStore({ connected: false } as Nats, logger);
    const caller = { ...system('a test'), request_id: 'the-id' };
    const claim = store.claim(store.nameOf('key', 'inference', caller), { payload_sha256: 'a', unknown_models: [] }, caller);
    await expect(claim).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { recorded: 'no' } });
    expect(failures).toEqual([{ request_id: 'the-id' }]);
  });
});
