import { type NatsConnection } from '@nats-io/transport-node';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';
import { callerHeaders, system } from './caller.js';
import { ProcessConfig } from './config.js';
import { Logger } from './logger.js';
import { Nats } from './nats.js';
import { NatsServer } from './nats.server.js';
import { Telemetry } from './telemetry.js';

const subject = 'emr.rpc.flags.drained';
const logger = Logger.create('drained', 'silent');

let server: OwnNats;
let asker: NatsConnection;

beforeAll(async () => {
  server = await ownNats();
  asker = await connectTo(server.url);
});
afterAll(async () => {
  await asker.close();
  await server.stop();
});

/** A replica that takes a few milliseconds for an answer. */
async function replica(): Promise<{ nats: Nats; transport: NatsServer }> {
  const nats = await Nats.connect('flags', Object.assign(new ProcessConfig(), { NATS_URL: server.urls.flags }), logger);
  const transport = new NatsServer('flags', nats, new Telemetry('drained'), logger);
  transport.addHandler(subject, async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    return { answered: true };
  });
  await new Promise<void>((resolve) => void transport.listen(() => resolve()));
  await nats.connection.flush();
  return { nats, transport };
}

describe('a replica that stops', () => {
  it('answers what NATS gave it before it knew, and leaves the rest to the other one', async () => {
    const [stopping, staying] = [await replica(), await replica()];
    const payload = JSON.stringify({ pattern: subject, data: {}, id: '1' });
    const ask = (): Promise<unknown> => asker.request(subject, payload, { timeout: 5_000, headers: callerHeaders(system('a test')) });
    const asked: Promise<unknown>[] = [];
    for (let round = 0; round < 40; round++) {
      for (let one = 0; one < 25; one++) asked.push(ask());
      if (round === 20) asked.push(stopping.transport.close().then(() => stopping.nats.close()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const lost = (await Promise.allSettled(asked)).filter(({ status }) => status === 'rejected');
    expect(lost).toEqual([]);
    await staying.transport.close();
    await staying.nats.close();
  });
});
