// The suite that several spec files share (story-suite.harness.ts): all services, on a database and a nats-server of its own, until standard
// input ends. Where it can be reached is written to story-suite.json in TEST_SERVERS_DIR once it is ready.
import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startSuite } from '#standalone/suite.process.js';
import { createDatabase, servicesTemplate } from '#testing/database.js';
import { ownNats } from '#testing/nats.js';

let ended;
const end = new Promise((resolve) => (ended = resolve));
process.stdin.on('end', ended).on('close', ended).resume();
// Ctrl-C reaches the whole group; who started this one ends it when its time has come.
process.on('SIGINT', () => undefined);

const [database, nats] = await Promise.all([createDatabase(servicesTemplate), ownNats()]);
const admin_key = `emr_test_${randomBytes(24).toString('hex')}`;
const suite = await startSuite({
  host: '127.0.0.1',
  port: 0,
  database_urls: database.urls,
  nats_urls: nats.urls,
  key_pepper: randomBytes(32).toString('hex'),
  bootstrap_admin_key: admin_key,
  log_level: 'silent',
  allowed_networks: '127.0.0.0/8',
  cors_origins: '',
  secrets_dir: '',
  health_tick_seconds: 5,
  validation_lease_seconds: 15,
  rollout_tick_seconds: 10,
  selection_tick_seconds: 1,
  breaker_open_seconds: 30,
});
const file = join(process.env.TEST_SERVERS_DIR, 'story-suite.json');
const root = `http://127.0.0.1:${suite.gateway.port}`;
await writeFile(`${file}.new`, JSON.stringify({ root, admin_key, database_url: database.url, nats_urls: nats.urls }));
await rename(`${file}.new`, file);
await end;
await suite.close();
await nats.stop();
process.exit(0);
