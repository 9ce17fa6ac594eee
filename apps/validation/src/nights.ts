import { CronTime } from 'cron';

/** More are looked at another time: a night every second, after a year. */
const maxNights = 1_000;

/** When a cron expression is due, UTC: after < time <= until, in epoch milliseconds, the oldest first, at most 1,000. */
export function nightsBetween(cron: string, after: number, until: number): number[] {
  const time = new CronTime(cron, 'UTC');
  const nights: number[] = [];
  for (let from = after; nights.length < maxNights;) {
    const night = time.getNextDateFrom(new Date(from), 'UTC').toMillis();
    if (night > until) break;
    nights.push(night);
    from = night;
  }
  return nights;
}

/** Of nights that nobody has looked after: the newest is begun where it is no longer ago than `catchUpMs`, the others are missed. */
export function nightsToHandle(nights: number[], now: number, catchUpMs: number): { begin: number | null; missed: number[] } {
  const newest = nights.at(-1);
  if (newest === undefined || newest < now - Math.max(catchUpMs, onTimeMs)) return { begin: null, missed: nights };
  return { begin: newest, missed: nights.slice(0, -1) };
}

/** What begins within a minute is not late. */
export const onTimeMs = 60_000;
