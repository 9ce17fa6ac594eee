import { jetstreamManager, type JetStreamManager, jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { type NatsConnection } from '@nats-io/transport-node';
import { completeMarker, view } from '#contracts/view.js';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';
import { ProcessConfig } from './config.js';
import { type Followed } from './followed.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { Readiness } from './probes.js';
import { Telemetry } from './telemetry.js';
import { Views } from './views.js';

interface Thing {
  model_id: string;
  revision: number;
}

// Any that the gateway may follow.
const things = view<Thing>('models', ({ model_id }) => model_id);
const stream = `KV_${things.bucket}`;
const logger = Logger.create('views', 'silent');

let server: OwnNats;
let operator: NatsConnection;
let manager: JetStreamManager;
let bucket: KV;
let nats: Nats;
let views: Views;
let followed: Followed<Thing>;

beforeAll(async () => {
  server = await ownNats();
  operator = await connectTo(server.url);
  manager = await jetstreamManager(operator);
  bucket = await new Kvm(jetstream(operator)).create(things.bucket, { history: 1 });
  nats = await Nats.connect('gateway', Object.assign(new ProcessConfig(), { NATS_URL: server.urls.gateway }), logger);
  views = new Views(nats, logger, new Readiness(), new Telemetry('views'));
  followed = views.follow(things);
});
afterAll(async () => {
  views.onModuleDestroy();
  await nats.connection.close();
  await operator.close();
  await server.stop();
});

const put = (revision: number): Promise<number> => bucket.put('a', JSON.stringify({ model_id: 'a', revision }));

async function within(ms: number, isSo: () => boolean): Promise<boolean> {
  for (const until = Date.now() + ms; Date.now() < until && !isSo();) await new Promise((resolve) => setTimeout(resolve, 25));
  return isSo();
}

it('of which the server has forgotten the consumer is watched anew, long before the client notices', async () => {
  await put(1);
  await bucket.put(completeMarker, '{}');
  await bucket.put(completeMarker, '{}');
  expect(await within(5_000, () => followed.ready && followed.get('a')?.revision === 1)).toBe(true);
  for await (const { name } of manager.consumers.list(stream)) await manager.consumers.delete(stream, name);
  await put(2);
  expect(await within(20_000, () => followed.get('a')?.revision === 2)).toBe(true);
}, 40_000);
