import { Pool } from 'undici';

export interface LoadResult {
  readonly seconds: number;
  readonly perSecond: number;
  /** Latency percentiles, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

const OPERATION = `mutation ($input: GenerateImageInput!) { generateImage(input: $input) {
  __typename ... on GenerateImageSuccess { image { url width height } } } }`;

/** Sends `count` requests, `concurrency` at a time. */
export async function load(options: {
  readonly url: string;
  readonly count: number;
  readonly concurrency: number;
  /** Whether the target is the gateway, or speaks the upstream's own format. */
  readonly graphql: boolean;
  /** The same key each time: replays. */
  readonly idempotencyKey?: string;
}): Promise<LoadResult> {
  const { url, count, concurrency, graphql, idempotencyKey } = options;
  const target = new URL(url);
  const pool = new Pool(target.origin, { connections: concurrency, headersTimeout: 0, bodyTimeout: 0 });
  const latencies: number[] = [];
  let sent = 0;
  let errors = 0;

  const body = (): string =>
    graphql
      ? JSON.stringify({
          query: OPERATION,
          variables: {
            input: { prompt: 'bench', idempotencyKey: idempotencyKey ?? `bench-${sent}-${Math.random()}` },
          },
        })
      : JSON.stringify({
          model: 'gpt-image-2',
          prompt: 'bench',
          n: 1,
          size: '1024x1024',
          response_format: 'b64_json',
          output_format: 'png',
        });

  async function worker(): Promise<void> {
    while (sent < count) {
      sent += 1;
      const startedAt = performance.now();
      const response = await pool.request({
        path: target.pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer bench-bench-bench' },
        body: body(),
      });
      if (graphql) {
        const text = await response.body.text();
        if (!text.includes('"GenerateImageSuccess"')) {
          errors += 1;
          if (errors === 1) console.error(text.slice(0, 300));
        }
      } else {
        await response.body.dump({ limit: Number.MAX_SAFE_INTEGER });
        if (response.statusCode !== 200) errors += 1;
      }
      latencies.push(performance.now() - startedAt);
    }
  }

  const startedAt = performance.now();
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  await pool.close();
  latencies.sort((a, b) => a - b);
  const percentile = (share: number) =>
    Math.round((latencies[Math.ceil(latencies.length * share) - 1] ?? 0) * 10) / 10;
  return {
    seconds: Math.round(seconds * 100) / 100,
    perSecond: Math.round(count / seconds),
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    errors,
  };
}
