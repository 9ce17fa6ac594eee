import { jetstream, jetstreamManager, type JsMsg } from '@nats-io/jetstream';
import { headers as createHeaders, type NatsConnection } from '@nats-io/transport-node';
import { connectTo, ownNats, type OwnNats } from '#testing/nats.js';
import { numberOf } from './message-number.js';

const stream = 'NUMBERS';
const subject = 'numbers.of';
let nats: OwnNats;
let connection: NatsConnection;

beforeAll(async () => {
  nats = await ownNats();
  connection = await connectTo(nats.url);
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: stream, subjects: [subject] });
  await manager.consumers.add(stream, { durable_name: 'reader', ack_policy: 'none' });
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});

/** As a consumer is given it. */
async function delivered(entries: [name: string, value: string][] | null): Promise<JsMsg> {
  const headers = createHeaders();
  for (const [name, value] of entries ?? []) headers.append(name, value);
  const client = jetstream(connection);
  await client.publish(subject, '{}', entries ? { headers } : {});
  return (await (await client.consumers.get(stream, 'reader')).next())!;
}

const source = '0b2f0c52-5c2e-4b6e-9d7e-2f4f0d3b8a10';

it.each<[string, [string, string][] | null, { source: string; sequence: number } | null]>([
  [
    'both headers',
    [
      ['Emr-Producer', source],
      ['Emr-Seq', '17'],
    ],
    { source, sequence: 17 },
  ],
  [
    'them among others, in any order',
    [
      ['Nats-Msg-Id', 'x'],
      ['Emr-Seq', '0'],
      ['traceparent', '00-1-2-01'],
      ['Emr-Producer', 'é 名'],
    ],
    { source: 'é 名', sequence: 0 },
  ],
  [
    'the first of several',
    [
      ['Emr-Producer', 'a'],
      ['Emr-Producer', 'b'],
      ['Emr-Seq', '1'],
      ['Emr-Seq', '2'],
    ],
    { source: 'a', sequence: 1 },
  ],
  [
    'a name in another header',
    [
      ['X-Emr-Producer', 'a'],
      ['Emr-Seq', '1'],
      ['X', 'Emr-Producer: b'],
    ],
    null,
  ],
  ['no headers', null, null],
  ['no producer', [['Emr-Seq', '1']], null],
  ['no number', [['Emr-Producer', source]], null],
  [
    'an empty producer',
    [
      ['Emr-Producer', ''],
      ['Emr-Seq', '1'],
    ],
    null,
  ],
  [
    'a producer of 101 characters',
    [
      ['Emr-Producer', 'p'.repeat(101)],
      ['Emr-Seq', '1'],
    ],
    null,
  ],
  [
    'a number that is none',
    [
      ['Emr-Producer', source],
      ['Emr-Seq', '-1'],
    ],
    null,
  ],
  [
    'a number beyond 15 digits',
    [
      ['Emr-Producer', source],
      ['Emr-Seq', '1234567890123456'],
    ],
    null,
  ],
])('reads %s as a map of the headers would have it', async (_, entries, expected) => {
  const message = await delivered(entries);
  expect(numberOf(message)).toEqual(expected);
  // A client that keeps the head elsewhere.
  expect(numberOf({ headers: message.headers } as JsMsg)).toEqual(expected);
  expect(Buffer.from(message.data).toString()).toBe('{}');
});
