import { Command } from 'commander';
import { withExamples } from './help.ts';
import { wholeNumber } from './options.ts';
import { misbehaviour } from './sandbox-control.ts';
import { stopSignal } from './stop-signal.ts';
import { styleOf } from './terminal/style.ts';
import type { Terminal } from './terminal/terminal.ts';

/** Beside the gateway's 4000. */
const DEFAULT_PORT = 4010;

interface SandboxCommandOptions {
  readonly port: number;
  readonly latencyMs: number;
  readonly apiKey?: string;
}

/** `gesso sandbox`: an upstream that draws, bills nothing, and misbehaves on demand, until it is told to stop. */
export function sandboxCommand({ stdout }: Terminal): Command {
  const command = new Command('sandbox')
    .description("Run the sandbox alone: an upstream in BetterToken's wire format that costs nothing.")
    .option(
      '--port <port>',
      'to listen on, on loopback; 0 takes a free one',
      wholeNumber(0, 65_535),
      DEFAULT_PORT,
    )
    .option('--latency-ms <ms>', 'how long making a picture takes', wholeNumber(), 1_000)
    .option('--api-key <key>', 'the only key that it takes; made up, and worth nothing (default: any key)')
    .action(async ({ port, latencyMs, apiKey }: SandboxCommandOptions) => {
      const { startSandbox } = await import('../sandbox/sandbox.ts');
      const stop = stopSignal();
      const sandbox = await startSandbox({ port, latencyMs, apiKey });
      const { dim, bold } = styleOf(stdout);
      const lines = [
        `${bold('The sandbox is ready:')} ${sandbox.baseUrl}`,
        '',
        'Point a gateway at it:',
        `  export BETTERTOKEN_BASE_URL=${sandbox.baseUrl}`,
        `  export BETTERTOKEN_API_KEY=${apiKey ?? 'any'}`,
        '',
        'Make it misbehave, once:',
        ...misbehaviour(sandbox.baseUrl).map((line) => `  ${line}`),
        '',
        'See what it was asked and what it would have billed:',
        `  curl ${new URL('/sandbox/journal', sandbox.baseUrl)}`,
        '',
        dim('Ctrl-C ends it.'),
      ];
      stdout.write(`\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}\n\n`);
      await stop;
      await sandbox.close();
    });
  return withExamples(command, [
    ['gesso sandbox', `Listens on port ${DEFAULT_PORT}, and takes any key.`],
    ['gesso sandbox --port 0 --latency-ms 0', 'On a free port, and at once.'],
  ]);
}
