import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { type MsgHdrs, headers as createHeaders } from '@nats-io/transport-node';
import { type Actor } from '#contracts/access.js';

/** On whose behalf the present code runs, and in the course of which request. Crosses NATS in two headers. */
export interface Caller {
  request_id: string;
  actor: Actor;
}

const callers = new AsyncLocalStorage<Caller>();

export const runAs = <T>(caller: Caller, work: () => T): T => callers.run(caller, work);

export function currentCaller(): Caller {
  const caller = callers.getStore();
  if (!caller) throw new Error('No caller: code that asks or changes something must run inside runAs');
  return caller;
}

export const currentRequestId = (): string | undefined => callers.getStore()?.request_id;

/** The suite itself, for scheduled work. */
export const system = (job: string): Caller => ({
  request_id: randomUUID(),
  actor: { key_id: 'system', name: job, role: 'admin', scope: { sports: null, names: null } },
});

const requestIdHeader = 'Emr-Request-Id';
const actorHeader = 'Emr-Actor';

export function callerHeaders({ request_id, actor }: Caller): MsgHdrs {
  const headers = createHeaders();
  headers.set(requestIdHeader, request_id);
  // Names may hold any character, headers only ASCII.
  headers.set(actorHeader, Buffer.from(JSON.stringify(actor)).toString('base64'));
  return headers;
}

/** The caller of a message, or null when it carries none: such a message is not answered. */
export function callerOf(headers: MsgHdrs | undefined): Caller | null {
  const actor = headers?.get(actorHeader);
  if (!headers || !actor) return null;
  try {
    return {
      request_id: headers.get(requestIdHeader) || randomUUID(),
      actor: JSON.parse(Buffer.from(actor, 'base64').toString()) as Actor,
    };
  } catch {
    return null;
  }
}
