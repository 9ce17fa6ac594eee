import { type Spent } from './rate-limit.js';

/** What gateways tell each other of: which gateway spent how much of which limit. */
export interface SpentMessage {
  gateway: string;
  limit: string;
  spent: Spent;
}

/** Null for anything else than such a message. */
export function spentFrom(value: unknown): SpentMessage | null {
  if (typeof value !== 'object' || value === null) return null;
  const { gateway, limit, spent } = value as Record<string, unknown>;
  if (typeof gateway !== 'string' || typeof limit !== 'string' || !Array.isArray(spent)) return null;
  return spent.every(isSpent) ? { gateway, limit, spent } : null;
}

const isSpent = (entry: unknown): entry is Spent[number] =>
  Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string' && Number.isSafeInteger(entry[1]) && entry[1] > 0;
