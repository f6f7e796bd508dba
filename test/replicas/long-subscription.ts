import { parseArgs } from 'node:util';
import { startSandbox } from '../../src/sandbox/sandbox.ts';
import { startedId } from '../support/background.ts';
import { startNginx } from '../support/nginx.ts';
import { startGatewayProcess } from '../support/process.ts';
import { freePort } from '../support/readme-gateway.ts';
import { subscribeBySse, subscribeByWebSocket } from '../support/subscribe.ts';

/**
 * Watches one generation of five minutes through nginx, which ends what is idle for 60 seconds, by server-sent events
 * and by WebSocket. `npx node test/replicas/long-subscription.ts [--seconds 300]`. Fails when either was cut off.
 */
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '300' } } });
const seconds = Number(values.seconds);
const upstreamKey = 'sk-upstream-of-the-long-subscription';

const sandbox = await startSandbox({ pictures: 'plain', apiKey: upstreamKey, latencyMs: seconds * 1_000 });
const gateway = await startGatewayProcess({ upstreamUrl: sandbox.baseUrl, upstreamKey });
const nginx = await startNginx({ port: await freePort(), replicaPorts: [Number(new URL(gateway.url).port)] });
try {
  const startedAt = performance.now();
  const id = await startedId({ ...gateway }, { prompt: 'takes its time' });
  const where = { url: nginx.url, key: gateway.key, id };
  const all = await Promise.all(
    Object.entries({ 'server-sent events': subscribeBySse, WebSocket: subscribeByWebSocket }).map(
      async ([transport, subscribe]) => {
        const subscribed = subscribe(where);
        const events = await subscribed.rest();
        await subscribed.close();
        return { transport, statuses: events.map(({ status }) => status) };
      },
    ),
  );
  const tookSeconds = Math.round((performance.now() - startedAt) / 100) / 10;
  for (const { transport, statuses } of all) {
    console.log(JSON.stringify({ transport, tookSeconds, statuses, calls: sandbox.journal.calls().length }));
    if (statuses.at(-1) !== 'SUCCEEDED') process.exitCode = 1;
  }
} finally {
  await nginx.close();
  await gateway.close();
  await sandbox.close();
}
