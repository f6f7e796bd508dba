import { Pool } from 'undici';
import { createLatencies, type LoadResult } from './latencies.ts';
import { askForPicture } from './picture-request.ts';

export interface LoadOptions {
  /** The target, or several that are asked in turns. */
  readonly url: string | readonly string[];
  readonly count: number;
  readonly concurrency: number;
  /** Whether the target is the gateway, or speaks the upstream's own format. */
  readonly graphql: boolean;
  /** The same key each time: replays. */
  readonly idempotencyKey?: string;
}

/** Sends `count` requests, `concurrency` at a time. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, count, concurrency, graphql, idempotencyKey } = options;
  const targets = [url].flat().map((target) => ({ url: target, pool: createLoadPool(target, concurrency) }));
  const latencies = createLatencies();
  let sent = 0;

  async function worker(): Promise<void> {
    while (sent < count) {
      sent += 1;
      const target = targets[sent % targets.length];
      if (target === undefined) throw new Error('There is no target.');
      const key = idempotencyKey ?? `bench-${sent}-${Math.random()}`;
      await latencies.time(() => askForPicture(target.pool, { url: target.url, graphql }, key));
    }
  }

  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  const result = latencies.result();
  await Promise.all(targets.map(({ pool }) => pool.close()));
  return result;
}

/** Sockets to one target, none of which gives up by itself. */
export const createLoadPool = (url: string, connections: number): Pool =>
  new Pool(new URL(url).origin, { connections, headersTimeout: 0, bodyTimeout: 0 });
