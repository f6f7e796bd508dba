/** Collects which keys were used, and writes it down once a minute, rather than once a request. */
export function createKeyUse(
  note: (apiKeyIds: readonly string[]) => Promise<void>,
  onError: (error: unknown) => void,
  periodMs = 60_000,
) {
  let used = new Set<string>();
  async function flush(): Promise<void> {
    if (used.size === 0) return;
    const ids = [...used];
    used = new Set();
    await note(ids).catch(onError);
  }
  const timer = setInterval(() => void flush(), periodMs);
  timer.unref();
  return {
    add: (apiKeyId: string): void => void used.add(apiKeyId),
    async close(): Promise<void> {
      clearInterval(timer);
      await flush();
    },
  };
}
