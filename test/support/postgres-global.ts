import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/ledger/embedded/embedded-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path or pipe to ask for the server that all test files share; see `database.ts`. */
    testPostgres: string;
  }
}

/**
 * One PostgreSQL for a whole run of Vitest, started when the first file asks for it: a run that needs none
 * starts none. Who connects is told, in JSON, how to connect to it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-test-'));
  const path =
    process.platform === 'win32' ? `\\\\.\\pipe\\gesso-test-${process.pid}` : join(folder, 'postgres.sock');
  let postgres: Promise<EmbeddedPostgres> | undefined;
  const server = createServer(async (socket) => {
    // Whoever asked may have been ended meanwhile; the next one is answered all the same.
    socket.on('error', () => {});
    postgres ??= startEmbeddedPostgres({ dataDir: join(folder, 'data'), role: 'gateway' });
    const answer = await postgres.then(
      ({ connection }) => ({ connection }),
      (error: unknown) => ({ refusal: String(error) }),
    );
    socket.end(JSON.stringify(answer));
  });
  server.listen(path);
  await once(server, 'listening');
  project.provide('testPostgres', path);

  return async function teardown() {
    server.close();
    // A refusal was told to everyone who asked.
    await postgres?.then(
      (started) => started.close(),
      () => undefined,
    );
    await rm(folder, { recursive: true, force: true });
  };
}
