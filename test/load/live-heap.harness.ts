import { WebSocket } from 'undici';

/** For `NODE_OPTIONS` of the processes of which `liveBytes` is asked: an inspector on a port of its own, on loopback. */
export const inspected = '--inspect=127.0.0.1:0';

/** `said`: what an inspected process wrote to its standard error. */
export function inspectorOf(said: string): string {
  const url = /ws:\/\/127\.0\.0\.1:\d+\/\S+/g.exec(said)?.[0];
  if (!url) throw new Error(`No inspector listens; it said: ${said}`);
  return url;
}

/**
 * What of a process's heap is still held after a full collection, in bytes, its buffers included. What the process takes of the machine says less: V8
 * lets garbage lie as long as there is room.
 */
export async function liveBytes(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = ({ message }) => reject(new Error(`The inspector does not answer: ${message}`));
    });
    const ask = <Result>(method: string, params: object = {}): Promise<Result> =>
      new Promise((resolve, reject) => {
        socket.onmessage = ({ data }: { data: string }) => {
          const answer = JSON.parse(data) as { result?: Result; error?: { message: string } };
          if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
          else resolve(answer.result!);
        };
        socket.send(JSON.stringify({ id: 1, method, params }));
      });
    await ask('HeapProfiler.collectGarbage');
    const { result } = await ask<{ result: { value: NodeJS.MemoryUsage } }>('Runtime.evaluate', {
      expression: 'process.memoryUsage()',
      returnByValue: true,
    });
    return result.value.heapUsed + result.value.external;
  } finally {
    socket.close();
  }
}
