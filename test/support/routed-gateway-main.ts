import { readConfig } from '../../src/config.ts';
import { createGateway } from '../../src/gateway.ts';
import { listen } from '../../src/http/listen.ts';
import { createBetterToken } from '../../src/providers/bettertoken.ts';

/** `gesso start` with a plug-in whose providers are the upstreams of `TEST_UPSTREAMS`: base URLs by name, as JSON. To be killed. */

const config = readConfig(process.env);
const baseUrls = JSON.parse(process.env.TEST_UPSTREAMS ?? '{}') as Record<string, string>;
let port = 0;
const gateway = await createGateway({
  config,
  publicUrl: () => `http://localhost:${port}`,
  extensions: {
    plugins: [
      {
        name: 'upstreams',
        providers: Object.entries(baseUrls).map(([name, baseUrl]) =>
          createBetterToken({
            name,
            baseUrl,
            apiKey: config.betterTokenApiKey ?? '',
            connections: config.concurrency,
            deadlineMs: config.deadlineMs,
          }),
        ),
      },
    ],
  },
});
const listener = await listen({
  fetch: gateway.fetch,
  upgrade: gateway.upgrade,
  port: 0,
  host: '127.0.0.1',
});
port = listener.port;
process.stdout.write(`Gesso is ready: http://localhost:${port}/\n`);
