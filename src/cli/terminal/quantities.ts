/** `1.2 MB`: decimal units, as disks and browsers count. */
export function bytes(byteSize: number): string {
  if (byteSize < 1000) return `${byteSize} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let size = byteSize;
  let unit = '';
  for (const next of units) {
    if (size < 999.5) break;
    [size, unit] = [size / 1000, next];
  }
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** `4.2 s`, `75 s`, `4 min 10 s`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`; the day itself from a month on. */
export function timeAgo(then: Date, now: Date): string {
  const ms = now.getTime() - then.getTime();
  if (ms < 10_000) return 'just now';
  if (ms < MINUTE_MS) return `${Math.floor(ms / 1000)} s ago`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ago`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h ago`;
  if (ms < 31 * DAY_MS) return `${Math.floor(ms / DAY_MS)} d ago`;
  return then.toISOString().slice(0, 10);
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
};

/**
 * The moment that `2h`, `3d` or an ISO 8601 date means. A date without a time begins in UTC, as all days of the
 * gateway do.
 *
 * @returns undefined for anything else.
 */
export function moment(text: string, now: Date): Date | undefined {
  const [, count, unit = ''] = /^(\d{1,6})\s*([a-z]+)$/i.exec(text) ?? [];
  const unitMs = UNITS_MS[unit.toLowerCase()];
  if (count !== undefined && unitMs !== undefined) return new Date(now.getTime() - Number(count) * unitMs);
  if (!/^\d{4}-\d\d-\d\d([T ]|$)/.test(text)) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
