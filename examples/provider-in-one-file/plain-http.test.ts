import { describeProvider } from 'gesso/testing';
import { expect } from 'vitest';
import { createPlainHttp } from './plain-http.ts';

describeProvider({
  name: 'plain-http',
  // How many calls are open at once is the gateway's to say (GESSO_CONCURRENCY).
  limitsConnections: false,
  create: ({ url, apiKey }) => createPlainHttp({ baseUrl: url, apiKey }),
  success: (picture) => ({ status: 200, headers: { 'content-type': 'image/png' }, body: picture }),
  error: (status, message) => ({
    status,
    headers: { 'content-type': 'text/plain' },
    body: Buffer.from(message),
  }),
  checkRequest(sent, { prompt, size }, apiKey) {
    const [width, height] = size.split('x');
    const path = `/prompt/${encodeURIComponent(prompt)}?width=${width}&height=${height}`;
    expect(`${sent.method} ${sent.path}`).toBe(`GET ${path}`);
    expect(sent.headers.authorization).toBe(`Bearer ${apiKey}`);
  },
});
