const storeDate = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2})?(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})?$/;
const noEnd = '9999-12-31';

/**
 * A date of the Store as ISO 8601 in UTC, cut to milliseconds. Null for "no end" (9999-12-31), absent, and unreadable: the
 * documentation itself has malformed dates, and no item may be lost for one (store-api.md 2.1, 3.2, 4.6).
 */
export function isoOf(text: string | null | undefined): string | null {
  if (!text || text.startsWith(noEnd)) return null;
  const [, minutes, seconds = ':00', fraction = '', zone = 'Z'] = storeDate.exec(text.trim()) ?? [];
  if (minutes === undefined) return null;
  const date = new Date(`${minutes}${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** `DD:HH:MM:SS.fffffff` in whole seconds; null if absent or unreadable. */
export function secondsOf(text: string | null | undefined): number | null {
  const [, days, hours, minutes, seconds] = /^(\d+):(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?$/.exec(text ?? '') ?? [];
  if (days === undefined) return null;
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}
