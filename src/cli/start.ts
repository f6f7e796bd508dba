import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { pino } from 'pino';
import type { Config } from '../config.ts';
import { createGateway } from '../gateway.ts';
import { listen } from '../http/listen.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { loadConfig } from './config-file.ts';

/** After the drain, how long the last answers may take to get out, in milliseconds. */
const LAST_ANSWERS_MS = 5_000;

/** After the drain, how long everything may take to close before the process ends all the same, in milliseconds. */
const CLOSING_MS = 15_000;

/** `gesso start`: serves until it is told to stop. */
export function startCommand(): Command {
  return new Command('start').description('Start the gateway.').action(async () => {
    const { config: given, extensions } = await loadConfig();
    const log = pino({
      level: given.logLevel,
      redact: ['*.headers.authorization', '*.apiKey', '*.adminKey'],
    });
    const stop = stopSignal();
    // Closed last-opened first, also when a later step fails, or the process could not end.
    await using opened = new AsyncDisposableStack();
    const { config, sandbox } = given.sandbox
      ? await withSandbox(given)
      : { config: given, sandbox: undefined };
    if (sandbox !== undefined) opened.defer(sandbox.close);

    let port = config.port;
    const publicUrl = () => config.publicUrl ?? `http://localhost:${port}`;
    const gateway = await createGateway({ config, extensions, publicUrl, log });
    opened.defer(gateway.close);
    const { host } = config;
    const listener = await listen({ fetch: gateway.fetch, upgrade: gateway.upgrade, port, host }).catch(
      async (error: unknown) => {
        await gateway.drain();
        throw error;
      },
    );
    port = listener.port;
    announce(config, { url: publicUrl(), port }, gateway.developmentKey, sandbox);

    const signal = await stop;
    log.info({ signal }, 'stopping: open generations get their time; a second signal ends at once');
    setTimeout(() => {
      log.error('something did not close in time, and is left to the next start');
      process.exit(1);
    }, config.drainMs + CLOSING_MS).unref();
    const answered = listener.close();
    await gateway.drain();
    const cut = setTimeout(listener.cut, LAST_ANSWERS_MS);
    await answered;
    clearTimeout(cut);
    await opened.disposeAsync();
    log.info('stopped');
  });
}

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve(name);
      });
    }
  });
}

/** Draws pictures on this machine, over the same wire as the real upstream. */
async function withSandbox(config: Config): Promise<{ config: Config; sandbox: Sandbox }> {
  // Loaded only when it is used: a gateway with a key has no need of it.
  const { startSandbox } = await import('../sandbox/sandbox.ts');
  // Random, because whatever equals the key is redacted from what the upstream says.
  const apiKey = randomUUID();
  const sandbox = await startSandbox({ apiKey, latencyMs: 1_000 });
  return {
    config: { ...config, betterTokenApiKey: apiKey, betterTokenBaseUrl: sandbox.baseUrl },
    sandbox,
  };
}

/** For the person at the terminal. Secrets are shown here once, and go to no log. */
function announce(
  config: Config,
  { url, port }: { url: string; port: number },
  key: { path: string; secret: string | undefined } | undefined,
  sandbox: Sandbox | undefined,
): void {
  const lines = [`Gesso is ready: ${url}/graphql`];
  if (config.publicUrl !== undefined) lines.push(`Listening on ${config.host}, port ${port}`);
  if (sandbox !== undefined) {
    lines.push(
      'Sandbox: no BETTERTOKEN_API_KEY is set, so the pictures are drawn on this machine and cost nothing.',
    );
  }
  if (key?.secret !== undefined) {
    lines.push(`Development key: ${key.secret}`, `  kept in ${key.path}`);
  } else if (key !== undefined) {
    lines.push(`Development key: kept in ${key.path}`);
  }
  if (config.databaseUrl === undefined) lines.push(`Data: ${config.dataDir} (with a PostgreSQL of its own)`);
  console.log(`\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
}
