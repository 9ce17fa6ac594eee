import { type AddressInfo, createServer, type Server } from 'node:net';
import { ConfigError } from './config.js';
import { listenAt } from './listen.js';

let stranger: Server;
let taken: number;

beforeAll(async () => {
  stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  taken = (stranger.address() as AddressInfo).port;
});
afterAll(() => new Promise((resolve) => stranger.close(resolve)));

/** Tries to listen for real; resolves to what it was refused with. */
const refusalOf = (host: string, port: number): Promise<unknown> =>
  listenAt([host, 'THE_HOST'], [port, 'THE_PORT'], async () => {
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    await new Promise((resolve) => server.close(resolve));
  }).catch((error: unknown) => error);

it('listens where it can', async () => {
  expect(await refusalOf('127.0.0.1', 0)).toBeUndefined();
});

it('blames the port that is taken', async () => {
  const refusal = await refusalOf('127.0.0.1', taken);
  expect(refusal).toBeInstanceOf(ConfigError);
  expect(String(refusal)).toContain(`THE_PORT: port ${taken} of 127.0.0.1 is in use already`);
});

it.each([
  ['192.0.2.1', 'THE_HOST: 192.0.2.1 is no address of this machine'],
  ['no-such-host.invalid', 'THE_HOST: no-such-host.invalid '],
])('blames the host %s', async (host, sentence) => {
  const refusal = await refusalOf(host, 0);
  expect(refusal).toBeInstanceOf(ConfigError);
  expect(String(refusal)).toContain(sentence);
});

it('passes on what is nobody’s mistake in the configuration', async () => {
  const bug = new TypeError('a bug');
  await expect(listenAt(['h', 'HOST'], [1, 'PORT'], () => Promise.reject(bug))).rejects.toBe(bug);
});
