import { ConfigError } from './config.js';

/** Why an address cannot be listened at, by the system's code: which of the two variables is to blame, and what to do. */
const mistakes: Record<string, (host: string, port: number) => { at: 'host' | 'port'; why: string }> = {
  EADDRINUSE: (host, port) => ({ at: 'port', why: `port ${port} of ${host} is in use already; choose another one` }),
  EACCES: (_, port) => ({ at: 'port', why: `port ${port} needs more rights than this process has; choose one above 1023` }),
  EADDRNOTAVAIL: (host) => ({ at: 'host', why: `${host} is no address of this machine` }),
  ENOTFOUND: (host) => ({ at: 'host', why: `${host} is neither an address nor a name that resolves` }),
  EAI_AGAIN: (host) => ({ at: 'host', why: `${host} does not resolve` }),
  EINVAL: (host) => ({ at: 'host', why: `${host} is no address that can be listened at` }),
};

/** Listens, or throws a ConfigError that names the variable by which the address was chosen. */
export async function listenAt<Listening>(
  [host, hostVariable]: [string, string],
  [port, portVariable]: [number, string],
  listen: () => Promise<Listening>,
): Promise<Listening> {
  try {
    return await listen();
  } catch (error) {
    const mistake = mistakes[(error as NodeJS.ErrnoException).code ?? '']?.(host, port);
    if (!mistake) throw error;
    throw new ConfigError(`${mistake.at === 'host' ? hostVariable : portVariable}: ${mistake.why}`);
  }
}
