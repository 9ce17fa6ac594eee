import { createServer } from 'node:net';

/**
 * A TCP port that nobody listens on at 127.0.0.1: `preferred` when it is free, else the next free one above it; without `preferred`, any.
 * Somebody may take it between this answer and its use, so who binds it must be ready to ask again.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred === undefined) return bindOnce(0);
  for (let port = preferred; port < 65_536; port += 1) {
    try {
      return await bindOnce(port);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    }
  }
  throw new Error(`No port from ${preferred} up to 65535 is free on 127.0.0.1; choose a lower one`);
}

function bindOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
