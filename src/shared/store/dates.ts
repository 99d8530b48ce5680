const storeDate = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2})?(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?$/;
const noEnd = '9999-12-31';
/** What .NET sends for a date that was never set. */
const neverSet = '0001-';

/**
 * A date of the Store as ISO 8601 in UTC, cut to milliseconds. Null for "no end" (9999-12-31), never set (the year 1), absent, and
 * unreadable: the documentation itself has malformed dates, and no item may be lost for one (store-api.md 2.1, 3.2, 4.6).
 */
export function isoOf(text: string | null | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  if (trimmed.startsWith(noEnd) || trimmed.startsWith(neverSet)) return null;
  const [, minutes, seconds = ':00', fraction = '', zone = 'Z'] = storeDate.exec(trimmed) ?? [];
  if (minutes === undefined) return null;
  const date = new Date(`${minutes}${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

const timeSpan = /^(-)?(?:(\d+)[:.])?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?$/;

/**
 * A time span in whole seconds: `DD:HH:MM:SS.fffffff` as documented (store-api.md 2.1), `d.hh:mm:ss.fffffff` or `hh:mm:ss` as .NET
 * writes it. One that is over (negative) is 0; absent or unreadable is null.
 */
export function secondsOf(text: string | null | undefined): number | null {
  const [, sign, days = '0', hours, minutes, seconds] = timeSpan.exec(text?.trim() ?? '') ?? [];
  if (hours === undefined) return null;
  const total = Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (sign) return 0;
  return Number.isSafeInteger(total) ? total : null;
}
