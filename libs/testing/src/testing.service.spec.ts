import pg from 'pg';
import { createDatabase } from './database.js';
import { connectTo, ownNats } from './nats.js';

async function count(url: string, sql: string): Promise<number | null> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rowCount;
  } finally {
    await client.end();
  }
}

const reachable = (url: string): Promise<boolean> =>
  connectTo(url, { reconnect: false, timeout: 1_000 }).then(
    (connection) => connection.close().then(() => true),
    () => false,
  );

describe('createDatabase', () => {
  it('makes a copy of a template that shares nothing with it', async () => {
    const template = await createDatabase();
    await count(template.url, 'CREATE TABLE word AS SELECT 1 AS one');
    const copy = await createDatabase(new URL(template.url).pathname.slice(1));
    await count(copy.url, 'INSERT INTO word VALUES (2)');
    expect(await count(copy.url, 'SELECT FROM word')).toBe(2);
    expect(await count(template.url, 'SELECT FROM word')).toBe(1);
    await copy.drop();
    await template.drop();
    await expect(count(copy.url, 'SELECT')).rejects.toMatchObject({ code: '3D000' });
  });

  it('drops a database to which somebody is still connected', async () => {
    const database = await createDatabase();
    const client = new pg.Client({ connectionString: database.url });
    const cut = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    await database.drop();
    expect(await cut).toMatchObject({ code: '57P01' });
  });
});

describe('ownNats', () => {
  it('is gone after a kill and back at the same address after a restart', async () => {
    const nats = await ownNats();
    expect(await reachable(nats.url)).toBe(true);
    await nats.kill();
    expect(await reachable(nats.url)).toBe(false);
    await nats.restart();
    expect(await reachable(nats.url)).toBe(true);
    await nats.stop();
    expect(await reachable(nats.url)).toBe(false);
  });
});
