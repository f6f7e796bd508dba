import { readConfig } from '../../../src/config.ts';
import { createGateway } from '../../../src/gateway.ts';
import { listen } from '../../../src/http/listen.ts';
import { leadingTo } from './leading-to.ts';

/** `gesso start`, but for where webhooks lead to, which no setting can say. To be killed. */

let port = 0;
const gateway = await createGateway({
  config: readConfig(process.env),
  publicUrl: () => `http://localhost:${port}`,
  webhooks: leadingTo(process.env.TEST_RECEIVER_CA ?? ''),
});
const listener = await listen({
  fetch: gateway.fetch,
  upgrade: gateway.upgrade,
  port: 0,
  host: '127.0.0.1',
});
port = listener.port;
process.stdout.write(`Gesso is ready: http://localhost:${port}/\n`);
