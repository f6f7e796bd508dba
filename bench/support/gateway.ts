import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { createGateway } from '../../src/gateway.ts';
import { listen } from '../../src/http/listen.ts';
import { answerStalls } from './stalls.ts';

/**
 * The whole gateway with everything on (embedded PostgreSQL unless `DATABASE_URL` is set, audit, decode, storage), a
 * process of its own. Arguments: base URL of the upstream. Answers each message with its longest stall since the last
 * one.
 */
const dataDir = await mkdtemp(join(tmpdir(), 'gesso-bench-'));
const config = readConfig({
  ...process.env,
  GESSO_DATA_DIR: dataDir,
  GESSO_ADMIN_KEY: 'bench-bench-bench',
  BETTERTOKEN_API_KEY: 'bench',
  BETTERTOKEN_BASE_URL: process.argv[2],
  GESSO_CONCURRENCY: process.env.GESSO_CONCURRENCY ?? '4096',
});
const gateway = await createGateway({ config, publicUrl: () => 'http://localhost' });
const listener = await listen({ fetch: gateway.fetch, upgrade: gateway.upgrade, port: 0, host: '127.0.0.1' });
answerStalls();
process.once('SIGTERM', async () => {
  const closed = listener.close();
  await gateway.drain();
  listener.cut();
  await closed;
  await gateway.close();
  await rm(dataDir, { recursive: true, force: true });
  process.exit(0);
});
process.send?.({ url: `http://127.0.0.1:${listener.port}/graphql` });
