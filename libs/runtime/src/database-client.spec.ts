import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import pg from 'pg';
import { DatabaseClient } from './database-client.js';

/** A message of PostgreSQL's protocol: its type, its length, what it holds. */
function message(type: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, content]);
}

const authenticated = message('R', Buffer.alloc(4));
const ready = message('Z', Buffer.from('I'));
const ended = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'));

let server: Server;
let pool: pg.Pool;

beforeAll(async () => {
  // As a server does that is shut down while somebody connects: both in one piece.
  server = createServer((socket) => socket.once('data', () => socket.end(Buffer.concat([authenticated, ready, ended]))));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  pool = new pg.Pool({ host: '127.0.0.1', port, user: 'u', database: 'd', ssl: false, Client: DatabaseClient });
});
afterAll(async () => {
  await pool.end();
  server.close();
});

it('fails a statement, and not the process, when the server ends before anybody has taken the connection', async () => {
  const client = await pool.connect();
  await expect(client.query('SELECT 1')).rejects.toThrow(/^Client has encountered a connection error/);
  client.release(true);
});
