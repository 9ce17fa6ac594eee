import { headers, type NatsConnection } from '@nats-io/transport-node';
import { connectTo, ownNats } from '#testing/nats.js';
import { InvokeError } from './invoke-error.js';
import { natsWay } from './ways.provider.js';
import { type Ways } from './ways.js';

let server: Awaited<ReturnType<typeof ownNats>>;
let connection: NatsConnection;
let ask: Ways['nats'];

beforeAll(async () => {
  server = await ownNats();
  connection = await connectTo(server.url);
  ask = natsWay({ connection, connected: true }, 'models');
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});

const limits = { timeout_ms: 2_000 };

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof InvokeError ? error.code : String(error)),
  );

it('hands back what the model replies', async () => {
  connection.subscribe('models.echo', { callback: (_, message) => void message.respond(message.data) });
  expect((await ask('models.echo', '{"x":1}', limits)).body.toString()).toBe('{"x":1}');
});

it('asks on no subject outside its prefix, the suite’s own and JetStream’s among them', async () => {
  let heard = 0;
  const all = connection.subscribe('>', { callback: () => void (heard += 1) });
  for (const subject of [
    'emr.rpc.registry.get_model',
    '$JS.API.STREAM.LIST',
    '$SYS.REQ.SERVER.PING',
    '_INBOX.x.y',
    'models',
    'modelsx.a',
    '',
  ])
    expect([subject, await codeOf(ask(subject, '{}', limits))]).toEqual([subject, 'ADDRESS_NOT_ALLOWED']);
  await connection.flush();
  all.unsubscribe();
  expect(heard).toBe(0);
});

it('tells a subject nobody listens on from a model that is silent, fails, or is not waited for any more', async () => {
  connection.subscribe('models.silent');
  connection.subscribe('models.failing', {
    callback: (_, message) => {
      const said = headers();
      said.set('Nats-Service-Error-Code', '500');
      said.set('Nats-Service-Error', 'out of memory');
      message.respond('', { headers: said });
    },
  });
  expect(await codeOf(ask('models.nobody', '{}', limits))).toBe('UNREACHABLE');
  expect(await codeOf(ask('models.silent', '{}', { timeout_ms: 50 }))).toBe('TIMEOUT');
  expect(await codeOf(ask('models.silent', '{}', { ...limits, signal: AbortSignal.timeout(50) }))).toBe('CANCELLED');
  expect(await codeOf(ask('models.silent', '{}', { ...limits, signal: AbortSignal.abort() }))).toBe('CANCELLED');
  await expect(ask('models.failing', '{}', limits)).rejects.toThrow('The model answered with the error 500: out of memory');
  expect(await codeOf(ask('models.silent', `"${'x'.repeat(2_000_000)}"`, limits))).toBe('INVALID_INPUT');
});

it('is UNREACHABLE at once while NATS is away', async () => {
  expect(await codeOf(natsWay({ connection, connected: false }, 'models')('models.echo', '{}', limits))).toBe('UNREACHABLE');
});
