import startServers from './servers.mjs';

/** Vitest's global set-up of the stories: the servers, and the suite that those stories share which need none of their own. */
export default async function startStories() {
  const stop = await startServers();
  const { startCompanion } = await import('#testing/test-servers.js');
  startCompanion('test/story-suite.mjs');
  return stop;
}
