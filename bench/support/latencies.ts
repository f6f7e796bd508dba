export interface LoadResult {
  readonly seconds: number;
  readonly perSecond: number;
  /** Latency percentiles, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Collects how long each request took, and what went wrong; the first fault is shown. */
export function createLatencies() {
  const startedAt = performance.now();
  const latencies: number[] = [];
  let errors = 0;
  return {
    /** Times one request, which resolves with what was wrong, or with undefined. */
    async time(request: () => Promise<string | undefined>): Promise<void> {
      const sentAt = performance.now();
      const fault = await request();
      latencies.push(performance.now() - sentAt);
      if (fault === undefined) return;
      errors += 1;
      if (errors === 1) console.error(fault);
    },
    result(): LoadResult {
      const seconds = (performance.now() - startedAt) / 1000;
      const sorted = latencies.toSorted((a, b) => a - b);
      const percentile = (share: number) =>
        Math.round((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) * 10) / 10;
      return {
        seconds: Math.round(seconds * 100) / 100,
        perSecond: Math.round(latencies.length / seconds),
        p50Ms: percentile(0.5),
        p99Ms: percentile(0.99),
        errors,
      };
    },
  };
}
