import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { handlesOf, socketKinds } from './handles.harness.js';

describe('handles by kind', () => {
  it('tell connections by the ports at their ends', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0',
      '   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20 4 0 10 -1',
      '   2: 0100007F:C351 0100007F:107E 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 0 10 -1',
      '   3: 0100007F:C352 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 14 1 0 20 4 0 10 -1',
      '',
    ].join('\n');
    expect(Object.fromEntries(socketKinds(table, { own: 8080, servers: { nats: 4222 } }))).toEqual({
      11: 'listening',
      12: 'clients',
      13: 'nats',
      14: 'other connections',
    });
  });

  (process.platform === 'linux' ? it : it.skip)('are those that a process has', async () => {
    const server = createServer();
    const accepted: Socket[] = [];
    server.on('connection', (socket) => accepted.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clients = Array.from({ length: 3 }, () => connect(port, '127.0.0.1'));
    // A client is connected before its connection is taken.
    while (accepted.length < clients.length) await once(server, 'connection');
    try {
      expect(handlesOf(process.pid, { own: port, servers: {} })).toMatchObject({ clients: 3 });
      expect(handlesOf(process.pid, { own: 1, servers: { server: port } })).toMatchObject({ server: 3 });
    } finally {
      for (const socket of [...clients, ...accepted]) socket.destroy();
      server.close();
    }
  });
});
