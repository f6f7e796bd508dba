/**
 * A process of its own that runs the embedded server: `node gateway-process.ts <data folder> <role>`.
 * It reports over IPC what came of the start, and closes when it is told to.
 */
import { startEmbeddedPostgres } from '../../../../src/ledger/embedded/embedded-postgres.ts';

const [, , dataDir = '', role = 'gateway'] = process.argv;
try {
  const postgres = await startEmbeddedPostgres({ dataDir, role: role === 'guest' ? 'guest' : 'gateway' });
  process.once('message', async () => {
    await postgres.close();
    process.disconnect();
  });
  process.send?.({ connection: postgres.connection });
} catch (error) {
  process.send?.({ refusal: error instanceof Error ? error.message : String(error) });
  process.disconnect();
}
