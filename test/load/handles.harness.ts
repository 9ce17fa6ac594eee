import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How many of each kind. */
export type Handles = Record<string, number>;

/** What a connection is for, by the port of the one end or the other. */
export interface Ports {
  /** The process's own: whoever is connected there is its client. */
  own: number;
  /** Of the servers that it is a client of, by what they are called. */
  servers: Record<string, number>;
}

const listening = '0A';

/** Kinds of sockets, by inode, from a table such as /proc/net/tcp. */
export function socketKinds(table: string, { own, servers }: Ports): Map<string, string> {
  const names = new Map(Object.entries(servers).map(([name, port]) => [port, name]));
  const portOf = (address: string): number => parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
  const kinds = new Map<string, string>();
  for (const line of table.split('\n').slice(1)) {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    if (!local || !remote || !inode) continue;
    const kind = state === listening ? 'listening' : portOf(local) === own ? 'clients' : (names.get(portOf(remote)) ?? 'other connections');
    kinds.set(inode, kind);
  }
  return kinds;
}

/** The open files and sockets of a process by what they are; from Linux alone. */
export function handlesOf(pid: number, ports: Ports): Handles {
  const sockets = new Map(['tcp', 'tcp6'].flatMap((name) => [...socketKinds(readFileSync(`/proc/${pid}/net/${name}`, 'utf8'), ports)]));
  const handles: Handles = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(linkOf(pid, fd), sockets);
    if (kind) handles[kind] = (handles[kind] ?? 0) + 1;
  }
  return handles;
}

/** Null: it was closed meanwhile. */
function linkOf(pid: number, fd: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return null;
  }
}

function kindOf(link: string | null, sockets: ReadonlyMap<string, string>): string | null {
  if (link === null) return null;
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode) return sockets.get(inode) ?? 'other sockets';
  return /^(pipe|anon_inode):/.test(link) ? 'pipes and events' : 'files';
}
