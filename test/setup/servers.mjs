import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Vitest's global set-up: one PostgreSQL and one nats-server for all spec files, at TEST_DATABASE_URL and TEST_NATS_URL, and the suite that those
 * stories share which need none of their own. They are started from dist, which is therefore brought up to date first.
 */
export default async function startServers() {
  await promisify(execFile)(process.execPath, ['scripts/build.mjs']);
  const { startCompanion, startTestServers, stopTestServers } = await import('#testing/test-servers.js');
  await startTestServers();
  startCompanion('test/story-suite.mjs');
  return stopTestServers;
}
