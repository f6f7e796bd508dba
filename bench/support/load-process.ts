import { type ArrivalsOptions, arrive } from './arrivals.ts';
import type { LoadResult } from './latencies.ts';
import { type LoadOptions, load } from './load.ts';
import { watchStalls } from './stalls.ts';

/**
 * The clients, a process of its own. Told what to send, it answers with the result, and with the longest stall of its
 * own loop meanwhile: a client that stalls finds others slow.
 */
export type LoadOrder =
  | ({ readonly kind: 'load' } & LoadOptions)
  | ({ readonly kind: 'arrive' } & ArrivalsOptions);

export interface LoadReport extends LoadResult {
  readonly clientStallMs: number;
}

const longestStallMs = watchStalls();
process.on('message', async (order: LoadOrder) => {
  longestStallMs();
  const result = order.kind === 'load' ? await load(order) : await arrive(order);
  process.send?.({ ...result, clientStallMs: longestStallMs() } satisfies LoadReport);
});
process.once('disconnect', () => process.exit(1));
process.send?.('ready');
