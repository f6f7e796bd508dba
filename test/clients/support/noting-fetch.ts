/** A `fetch` over the network that notes what was sent by it. */
export interface NotingFetch {
  readonly fetch: typeof fetch;
  /** The names of the operations, in order. */
  readonly sent: string[];
}

export function createNotingFetch(): NotingFetch {
  const sent: string[] = [];
  return {
    sent,
    async fetch(input, init) {
      const request = new Request(input, init);
      const url = new URL(request.url);
      const text = request.method === 'GET' ? url.search : await request.clone().text();
      sent.push(/(?:query|mutation|subscription)(?: |\+|%20)(\w+)/.exec(text)?.[1] ?? text);
      return fetch(request);
    },
  };
}
