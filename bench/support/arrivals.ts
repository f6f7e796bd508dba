import { setTimeout as delay } from 'node:timers/promises';
import { createLatencies, type LoadResult } from './latencies.ts';
import { createLoadPool } from './load.ts';
import { askForPicture, type PictureTarget } from './picture-request.ts';

export interface ArrivalsOptions extends PictureTarget {
  readonly count: number;
  /** The requests are sent evenly over this time, in milliseconds. */
  readonly overMs: number;
}

/** Sends `count` requests, each at its time and on a socket of its own, whether or not others are answered. */
export async function arrive({ count, overMs, ...target }: ArrivalsOptions): Promise<LoadResult> {
  const pool = createLoadPool(target.url, count);
  const latencies = createLatencies();
  const startedAt = performance.now();
  const asked: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    const dueInMs = startedAt + (index * overMs) / count - performance.now();
    if (dueInMs > 0) await delay(dueInMs);
    const key = `bench-${index}-${Math.random()}`;
    asked.push(latencies.time(() => askForPicture(pool, target, key)));
  }
  await Promise.all(asked);
  const result = latencies.result();
  await pool.close();
  return result;
}
