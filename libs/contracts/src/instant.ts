const instantPattern = /^(\d{4})-(\d{2})-(\d{2})T(?!24)(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

const earliest = Date.parse('0001-01-01T00:00:00Z');
const endOfTime = Date.parse('+010000-01-01T00:00:00Z');

/**
 * Epoch milliseconds of an RFC 3339 time, which the calendar has; NaN for anything else. The form that toISOString and most languages write,
 * UTC with no fraction or milliseconds, is read by hand: it comes with every inference there is.
 */
export function instantMs(value: unknown): number {
  if (typeof value !== 'string') return Number.NaN;
  const plain = plainMs(value);
  return Number.isNaN(plain) ? anyMs(value) : plain;
}

/** Of any form that is accepted. */
function anyMs(text: string): number {
  const match = instantPattern.exec(text);
  if (!match) return Number.NaN;
  const time = Date.parse(text);
  // PostgreSQL and four-digit years end here, whatever the offset adds.
  if (!(time >= earliest && time < endOfTime)) return Number.NaN;
  const [, year, month, day] = match;
  const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
  return isDay ? time : Number.NaN;
}

const zero = 48;
const dash = 45;
const colon = 58;

/** Of `YYYY-MM-DDTHH:MM:SSZ` and `YYYY-MM-DDTHH:MM:SS.mmmZ`, from year 1000 on; NaN leaves it to `anyMs`. */
function plainMs(text: string): number {
  const { length } = text;
  if ((length !== 20 && length !== 24) || text.charCodeAt(length - 1) !== 90 || text.charCodeAt(10) !== 84) return Number.NaN;
  if (text.charCodeAt(4) !== dash || text.charCodeAt(7) !== dash || text.charCodeAt(13) !== colon || text.charCodeAt(16) !== colon)
    return Number.NaN;
  const year = pair(text, 0) * 100 + pair(text, 2);
  const month = pair(text, 5);
  const day = pair(text, 8);
  const hour = pair(text, 11);
  const minute = pair(text, 14);
  const second = pair(text, 17);
  const isRegular =
    year >= 1_000 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month) && hour < 24 && minute < 60 && second < 60;
  if (!isRegular) return Number.NaN;
  const fraction = length === 20 ? 0 : milliseconds(text);
  return (((daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + fraction;
}

/** Two digits as a number; NaN where they are none. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - zero;
  const ones = text.charCodeAt(at + 1) - zero;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Of `.mmmZ` at the end. */
function milliseconds(text: string): number {
  const hundreds = text.charCodeAt(20) - zero;
  return text.charCodeAt(19) === 46 && hundreds >= 0 && hundreds <= 9 ? hundreds * 100 + pair(text, 21) : Number.NaN;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** By the Gregorian calendar, a year taken to begin in March: so the day that comes and goes is its last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return years * 365 + Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400) + dayOfYear - 719_468;
}
