import { createClient, type GeneratedImage } from '../../src/client/index.ts';
import { type Carried, type Cut, startCuttingProxy } from './cutting-proxy.ts';
import { ADMIN_KEY, type TestGateway } from './gateway.ts';

/** What came of one `generateImage` through a proxy that cut its connections. */
export interface CutCall {
  readonly plan: readonly Cut[];
  readonly image: GeneratedImage | undefined;
  readonly error: unknown;
  /** How many calls the upstream billed for it. */
  readonly billed: number;
  /** How many generations are on record for it. */
  readonly generations: number;
  /** How many of the plan's cuts were made. */
  readonly cuts: number;
  readonly carried: Carried;
}

let calls = 0;

/** One `generateImage` of a prompt that begins so, by a connection that is cut as planned. */
export async function generateThrough(
  gateway: TestGateway,
  plan: readonly Cut[],
  { prompt, waitSeconds }: { prompt: string; waitSeconds?: number },
): Promise<CutCall> {
  const proxy = await startCuttingProxy(gateway.url, plan);
  calls += 1;
  const own = `${prompt} ${String(calls).padStart(6, '0')}`;
  const client = createClient({
    url: proxy.url,
    apiKey: ADMIN_KEY,
    waitSeconds,
    // As it would wait, but for a hundredth of the time.
    clock: { now: Date.now, sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 100)) },
  });
  let image: GeneratedImage | undefined;
  let error: unknown;
  try {
    image = await client.generateImage({ prompt: own });
  } catch (thrown) {
    error = thrown;
  } finally {
    await proxy.close();
  }
  const rows = await gateway.sql('select id from generations where prompt = $1', [own]);
  return {
    plan,
    image,
    error,
    billed: gateway.sandbox.journal.billed((entry) => entry.prompt === own).length,
    generations: rows.length,
    cuts: proxy.cuts,
    carried: proxy.carried,
  };
}

/** Runs all, some at once; results in order. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = [...items.entries()];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        results[next[0]] = await run(next[1]);
      }
    }),
  );
  return results;
}

/** From `from` up to `to`, in steps. */
export const stepsOf = (from: number, to: number, stride: number): number[] =>
  Array.from({ length: Math.max(0, Math.ceil((to - from) / stride)) }, (_, index) => from + index * stride);
