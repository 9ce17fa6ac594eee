/** A webhook is given up after so many attempts, about 68 minutes after the first. */
export const maxAttempts = 13;
const firstDelayMs = 1_000;
/** JetStream is our own and comes back: it is tried for ever, this often. */
const longestEventDelayMs = 60_000;
const jitter = 0.25;

/**
 * How long to wait after the `attempts`-th attempt (from 1) failed, in milliseconds: 1 s, 2 s, 4 s, … 2048 s, each ± 25 % so that the
 * deliveries of one outage do not come back all at once. null: given up. `random` is in 0..1.
 */
export function delayAfter(attempts: number, target: 'webhook' | 'event', random: number): number | null {
  if (target === 'webhook' && attempts >= maxAttempts) return null;
  const exponential = firstDelayMs * 2 ** Math.min(attempts - 1, 20);
  return (target === 'event' ? Math.min(exponential, longestEventDelayMs) : exponential) * (1 + jitter * (2 * random - 1));
}
