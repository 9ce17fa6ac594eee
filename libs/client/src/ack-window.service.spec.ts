import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiscardPolicy, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import { freePort } from '#embedded/ports.js';
import { natsBinary, systemLookup } from '#embedded/nats-binary.js';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';
import { AckWindow, NotStoredError } from './ack-window.js';

const stream = 'EMR_EVENTS';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const makeStream = async (connection: NatsConnection, limits: { max_msgs?: number; no_ack?: boolean } = {}): Promise<void> => {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: stream,
    subjects: ['emr.ev.>'],
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    duplicate_window: nanos(120_000),
    ...limits,
  });
};

const reason = (sending: Promise<void>): Promise<unknown> =>
  sending.then(
    () => 'stored',
    (error: unknown) => (error instanceof NotStoredError ? `${error.reason}: ${error.stored}` : error),
  );

/** Everything on the stream, as `<message id> <body>`. */
async function stored(connection: NatsConnection): Promise<string[]> {
  const { streams } = await jetstreamManager(connection);
  const { state } = await streams.info(stream);
  const found: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    const message = await streams.getMessage(stream, { seq });
    if (message) found.push(`${message.header.get('Nats-Msg-Id')} ${message.string()}`);
  }
  return found;
}

describe('AckWindow', () => {
  let nats: OwnNats;
  let connection: NatsConnection;
  const windows: AckWindow[] = [];
  const windowOf = (...[options]: ConstructorParameters<typeof AckWindow> extends [unknown, ...infer Rest] ? Rest : never): AckWindow => {
    const window = new AckWindow(connection, options);
    windows.push(window);
    return window;
  };

  beforeEach(async () => {
    nats = await ownNats();
    connection = await connectTo(nats.url, { maxReconnectAttempts: -1, reconnectTimeWait: 100, waitOnFirstConnect: true });
  });
  afterEach(async () => {
    for (const window of windows.splice(0)) window.close();
    await connection.close();
    await nats.stop();
  });

  it('numbers messages from 0, names their producer, and resolves when they are stored', async () => {
    await makeStream(connection);
    const window = windowOf();
    await Promise.all(['a', 'b', 'c'].map((text) => window.send(bytes(text))));
    await window.send(bytes('d'), { producer: 'idem:x', sequence: 7 });
    expect(await stored(connection)).toEqual([`${window.producer}:0 a`, `${window.producer}:1 b`, `${window.producer}:2 c`, 'idem:x:7 d']);
    expect(window.stats()).toEqual({ acked: 4, failed: 0, resent: 0, unacked: 0, waiting: 0 });
  });

  it('has no more messages out than it may, and lets the others wait in their order', async () => {
    await makeStream(connection);
    const window = windowOf({ max_unacked: 4 });
    const sending = Promise.all(Array.from({ length: 50 }, (_, index) => window.send(bytes(String(index)))));
    expect(window.stats()).toMatchObject({ unacked: 4, waiting: 46 });
    await sending;
    expect((await stored(connection)).map((line) => line.split(' ')[1])).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  });

  it('keeps what is sent while NATS is away, sends again what was out, and loses and doubles nothing', async () => {
    await makeStream(connection);
    const window = windowOf();
    const sending: Promise<void>[] = [];
    const sends = setInterval(() => sending.push(window.send(bytes(String(sending.length)))), 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (let round = 0; round < 2; round++) {
      await nats.kill();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await nats.restart();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    clearInterval(sends);
    await Promise.all(sending);
    const found = await stored(connection);
    expect(found.length).toBe(sending.length);
    expect(new Set(found)).toEqual(new Set(sending.map((_, index) => `${window.producer}:${index} ${index}`)));
    expect(window.stats()).toMatchObject({ acked: sending.length, failed: 0, unacked: 0 });
  }, 30_000);

  it('waits for a stream that is not there yet, unless it may give up: then it says so at once', async () => {
    const [patient, hasty] = [windowOf(), windowOf({ give_up_ms: 2_000 })];
    const kept = patient.send(bytes('kept'));
    const began = performance.now();
    expect(await reason(hasty.send(bytes('given up')))).toBe('no_stream: no');
    expect(performance.now() - began).toBeLessThan(500);
    await makeStream(connection);
    await kept;
    expect((await stored(connection)).map((line) => line.split(' ')[1])).toEqual(['kept']);
  });

  it('gives up in time, says what nobody knows, and does not send it again', async () => {
    // JetStream stores and says nothing: every acknowledgement is lost.
    await makeStream(connection, { no_ack: true });
    const window = windowOf({ give_up_ms: 800, max_unacked: 1 });
    const began = performance.now();
    expect(await Promise.all(['first', 'second'].map((text) => reason(window.send(bytes(text)))))).toEqual([
      'timeout: unknown',
      'timeout: no',
    ]);
    expect(performance.now() - began).toBeLessThan(1_200);
    expect(window.stats()).toEqual({ acked: 0, failed: 2, resent: 1, unacked: 0, waiting: 0 });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(window.stats().resent).toBe(1);
    expect((await stored(connection)).map((line) => line.split(' ')[1])).toEqual(['first']);
  });

  it('that may give up says at once that NATS is away, and goes on when it is back', async () => {
    await makeStream(connection);
    const window = windowOf({ give_up_ms: 2_000 });
    await window.send(bytes('before'));
    await nats.kill();
    while ((await reason(window.send(bytes('lost')))) !== 'disconnected: no') await new Promise((resolve) => setTimeout(resolve, 10));
    const began = performance.now();
    expect(await reason(window.send(bytes('lost')))).toBe('disconnected: no');
    expect(performance.now() - began).toBeLessThan(50);
    await nats.restart();
    while ((await reason(window.send(bytes('after')))) !== 'stored') await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await stored(connection)).map((line) => line.split(' ')[1])).toEqual(['before', 'after']);
  }, 30_000);

  it('says that a full stream refuses, and that the message is not stored', async () => {
    await makeStream(connection, { max_msgs: 2 });
    const window = windowOf();
    await Promise.all([window.send(bytes('a')), window.send(bytes('b'))]);
    expect(await reason(window.send(bytes('c')))).toBe('refused: no');
    expect(window.stats()).toMatchObject({ acked: 2, failed: 1, unacked: 0 });
  });

  it('refuses what is larger than the server takes, and everything after it was closed', async () => {
    await makeStream(connection);
    const window = windowOf();
    expect(await reason(window.send(new Uint8Array(2 * 1024 * 1024)))).toMatch(/^too_large/);
    const late = windowOf();
    await nats.kill();
    const out = reason(late.send(bytes('out')));
    late.close();
    expect(await out).toMatch(/^closed: /);
    expect(await reason(late.send(bytes('x')))).toBe('closed: no');
  });
});

describe('an account that may only publish events and hear its own inbox', () => {
  let directory: string;
  let server: ChildProcess;
  let port: number;

  beforeAll(async () => {
    directory = await mkdtemp(join(process.env.TEST_SERVERS_DIR ?? tmpdir(), 'permissions-'));
    port = await freePort();
    await writeFile(
      join(directory, 'nats.conf'),
      `listen: 127.0.0.1:${port}
jetstream { store_dir: "${directory}/store" }
authorization { users: [
  { user: owner, password: owner }
  { user: scorer, password: scorer, permissions: { publish: "emr.ev.>", subscribe: "_INBOX_scorer.>" } }
  { user: deaf, password: deaf, permissions: { publish: "emr.ev.>", subscribe: { deny: ">" } } }
  { user: mute, password: mute, permissions: { publish: { deny: ">" }, subscribe: "_INBOX.>" } }
] }
`,
    );
    server = spawn(await natsBinary(systemLookup(), () => undefined), ['-c', join(directory, 'nats.conf')], { stdio: 'ignore' });
    const owner = await connect({
      servers: `127.0.0.1:${port}`,
      user: 'owner',
      pass: 'owner',
      waitOnFirstConnect: true,
      reconnectTimeWait: 50,
    });
    await makeStream(owner);
    await owner.close();
  });
  afterAll(async () => {
    const ended = once(server, 'exit');
    server.kill();
    await ended;
    await rm(directory, { recursive: true, force: true });
  });

  it.each([
    ['scorer', '_INBOX_scorer', 'stored'],
    ['deaf', '_INBOX_deaf', 'not_permitted: unknown'],
    ['mute', '_INBOX', 'not_permitted: unknown'],
  ])('as %s: %s %s', async (user, inbox_prefix, outcome) => {
    const connection = await connect({ servers: `127.0.0.1:${port}`, user, pass: user });
    const window = new AckWindow(connection, { inbox_prefix });
    expect(await reason(window.send(bytes(user)))).toBe(outcome);
    window.close();
    await connection.close();
  });
});
