import { type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { type KeyGuard } from '../key.guard.js';
import { type KnownFlags } from '../known-flags.store.js';
import { FlagStreams } from './flag-streams.store.js';

/** A client's end of a stream: `reads` is whether anything ever leaves its buffer. */
class Client extends Writable {
  text = '';

  constructor(private readonly reads: boolean) {
    super();
  }

  writeHead(): this {
    return this;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.reads) done();
  }
}

const changes: (() => void)[] = [];
const flags = {
  latest: { sequence: 0, at_ms: 0 },
  unheard: false,
  onChange: ({ put }: { put: () => void }): void => void changes.push(put),
};
const evaluators = { ...flags, latest: { sequence: 0, at_ms: 0 } };
const live = new Set(['key', 'other']);
let streams: FlagStreams;

beforeEach(() => {
  vi.useFakeTimers();
  const known = { flags, evaluators } as unknown as KnownFlags;
  const guard = { onChange: () => undefined, isLive: (key_id: string) => live.has(key_id) } as unknown as KeyGuard;
  streams = new FlagStreams(known, guard);
});
afterEach(() => {
  streams.onModuleDestroy();
  changes.length = 0;
  vi.useRealTimers();
});

function open(key_id = 'key', reads = true): Client {
  const client = new Client(reads);
  streams.open(client as unknown as ServerResponse, {}, key_id, null);
  return client;
}

/** A flag has changed, and the time in which changes are gathered is over. */
async function change(): Promise<void> {
  flags.latest = { sequence: flags.latest.sequence + 1, at_ms: 1_000 };
  changes[0]!();
  await vi.advanceTimersByTimeAsync(50);
}

it('refuses the stream of a key that holds a thousand, until one of them ends, and no other key’s', async () => {
  const held = Array.from({ length: 1_000 }, () => open());
  expect(() => open()).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }) as Error);
  open('other');
  held[0]!.destroy();
  await vi.advanceTimersByTimeAsync(0);
  expect(() => open()).not.toThrow();
});

it('holds five thousand streams and no more', () => {
  for (const key of ['a', 'b', 'c', 'd', 'e']) for (let index = 0; index < 1_000; index++) open(key);
  expect(() => open('f')).toThrow(expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }) as Error);
});

it('gives a client up that does not read, once 64 KiB wait for it, and tells the others on', async () => {
  const [reader, stuck] = [open(), open('key', false)];
  let told = 0;
  for (; told < 1_000 && !stuck.destroyed; told++) await change();
  expect(stuck.destroyed).toBe(true);
  // An event is some 130 bytes.
  expect(told).toBeGreaterThan(400);
  expect(reader.text.match(/^data: /gm)).toHaveLength(told);
  await change();
  expect(reader.text.match(/^data: /gm)).toHaveLength(told + 1);
});

it('ends the streams of a key that has expired at the next heartbeat, which says nothing to the others', async () => {
  const [ended, goesOn] = [open(), open('other')];
  live.delete('key');
  await vi.advanceTimersByTimeAsync(15_000);
  live.add('key');
  expect([ended.writableEnded, goesOn.writableEnded]).toEqual([true, false]);
  expect(goesOn.text.endsWith('\n\n:\n\n')).toBe(true);
});
