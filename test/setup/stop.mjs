/** Jest's global tear-down. */
export default async function stopServers() {
  const { stopTestServers } = await import('#testing/test-servers.js');
  await stopTestServers();
}
