import { occupy } from './embedded.harness.js';
import { freePort } from './ports.js';

describe('freePort', () => {
  it('gives the preferred port while it is free', async () => {
    const port = await freePort();
    expect(await freePort(port)).toBe(port);
  });

  it('gives a later port when the preferred one is taken', async () => {
    const port = await freePort();
    const stranger = await occupy(port);
    const next = await freePort(port);
    stranger.close();
    expect(next).toBeGreaterThan(port);
  });

  it('says so when no port is left', async () => {
    const stranger = await occupy(65_535);
    await expect(freePort(65_535)).rejects.toThrow('No port from 65535 up to 65535 is free on 127.0.0.1; choose a lower one');
    stranger.close();
  });
});
