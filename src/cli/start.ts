import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import type { Config } from '../config.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { announce } from './announcement.ts';
import { withExamples } from './help.ts';
import { leaveAddress } from './known-address.ts';
import { stopSignal } from './stop-signal.ts';
import type { Terminal } from './terminal/terminal.ts';

/** After the drain, how long the last answers may take to get out, in milliseconds. */
const LAST_ANSWERS_MS = 5_000;

/** After the drain, how long everything may take to close before the process ends all the same, in milliseconds. */
const CLOSING_MS = 15_000;

/** `gesso start`: serves until it is told to stop. */
export function startCommand(terminal: Terminal): Command {
  const command = new Command('start').description('Start the gateway.').action(async () => {
    // Loaded when it is started: help needs none of it.
    const [{ pino }, { loadConfig }, { createGateway }, { listen }] = await Promise.all([
      import('pino'),
      import('./config-file.ts'),
      import('../gateway.ts'),
      import('../http/listen.ts'),
    ]);
    const { config: given, extensions, path } = await loadConfig();
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
    const isEverywhere = /^(localhost|127\.0\.0\.1|0\.0\.0\.0|::1?)$/.test(host);
    await leaveAddress(config.dataDir, `http://${isEverywhere ? 'localhost' : host}:${port}`).catch((error) =>
      log.warn({ err: error }, 'the address could not be left in the data folder for commands beside it'),
    );
    announce(terminal, {
      config,
      extensions,
      configFile: path,
      url: publicUrl(),
      port,
      developmentKey: gateway.developmentKey,
      sandboxUrl: sandbox?.baseUrl,
    });

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
  return withExamples(command, [
    ['gesso start', 'On port 4000, with all that it needs in the folder `.gesso`.'],
    ['PORT=8080 LOG_LEVEL=warn gesso start', 'Settings come from the environment, or from gesso.config.ts.'],
  ]);
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
