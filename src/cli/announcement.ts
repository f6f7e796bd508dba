import { relative } from 'node:path';
import type { Config } from '../config.ts';
import type { GessoConfig } from '../plugin.ts';
import { misbehaviour } from './sandbox-control.ts';
import { shellWords } from './terminal/shell-words.ts';
import { styleOf } from './terminal/style.ts';
import type { Terminal } from './terminal/terminal.ts';

/** A gateway that serves. */
export interface Serving {
  readonly config: Config;
  readonly extensions: GessoConfig;
  /** Where the extensions come from; undefined where there is no such file. */
  readonly configFile: string | undefined;
  /** Where clients reach it. */
  readonly url: string;
  /** That it listens on. */
  readonly port: number;
  /** The key for the first steps, where there is one; its secret at the first start alone. */
  readonly developmentKey: { readonly path: string; readonly secret: string | undefined } | undefined;
  /** Undefined where a real provider draws. */
  readonly sandboxUrl: string | undefined;
}

/** Tells the person at the terminal what serves where, and what to try. Secrets are shown here once, and go to no log. */
export function announce(terminal: Terminal, serving: Serving): void {
  const { config, url, port, developmentKey, sandboxUrl } = serving;
  const { bold, dim, cyan } = styleOf(terminal.stdout);
  const lines = [`${bold('Gesso is ready:')} ${cyan(`${url}/graphql`)}`];
  if (config.publicUrl !== undefined) lines.push(`Listening on ${config.host}, port ${port}`);
  lines.push(...configurationLines(serving, terminal.folder));
  if (sandboxUrl !== undefined) {
    lines.push(
      'Sandbox: no BETTERTOKEN_API_KEY is set, so the pictures are drawn on this machine and cost nothing.',
      dim(`  at ${sandboxUrl}; to see a provider fail once, try:`),
      ...misbehaviour(sandboxUrl).map((line) => dim(`  ${line}`)),
    );
  }
  if (developmentKey?.secret !== undefined) {
    lines.push(`Development key: ${developmentKey.secret}`, dim(`  kept in ${developmentKey.path}`));
  } else if (developmentKey !== undefined) {
    lines.push(`Development key: kept in ${developmentKey.path}`);
  }
  if (config.databaseUrl === undefined) lines.push(`Data: ${config.dataDir} (with a PostgreSQL of its own)`);
  if (config.documentsOnly) {
    lines.push(`Takes only the documents of ${config.documents} (GESSO_DOCUMENTS_ONLY)`);
  } else if (developmentKey !== undefined) {
    lines.push(`Next, in a second terminal: ${bold(firstCommand(terminal, serving, developmentKey.path))}`);
  }
  terminal.stdout.write(`\n${lines.map((line) => `  ${line}`).join('\n')}\n\n`);
}

/** What a configuration file brought, and who draws. */
function configurationLines(
  { config, extensions, configFile, sandboxUrl }: Serving,
  folder: string,
): string[] {
  const { plugins = [], routing } = extensions;
  const names = plugins.map(({ name }) => name);
  const brought = names.length === 0 ? '' : ` (plug-ins: ${names.join(', ')})`;
  const file = configFile === undefined ? [] : [`Configuration: ${relative(folder, configFile)}${brought}`];
  const builtIn = sandboxUrl === undefined ? 'bettertoken' : 'bettertoken (the sandbox)';
  const providers = [
    ...plugins.flatMap(({ providers: added = [] }) => added.map(({ name }) => name)),
    ...(config.betterTokenApiKey === undefined ? [] : [builtIn]),
  ];
  const route = routeText(config.route ?? routing);
  return [...file, `Providers: ${providers.join(', ')}${route === undefined ? '' : `; route: ${route}`}`];
}

function routeText(routing: GessoConfig['routing']): string | undefined {
  if (routing === undefined) return undefined;
  if (routing.strategy === 'ordered') return routing.order.join(', then ');
  return Object.entries(routing.weights)
    .map(([name, weight]) => `${name} ${weight}`)
    .join(', ');
}

/** A command line that makes an image, in the folder where the gateway was started. */
function firstCommand({ program, folder }: Terminal, { config, port }: Serving, keyPath: string): string {
  const options: string[] = [];
  // A key goes to no other machine: the gateway is asked where it listens, and not by its public name.
  if (port !== 4000) options.push('--url', `http://localhost:${port}`);
  const inDefaultPlace = relative(folder, config.dataDir) === '.gesso';
  if (!inDefaultPlace) options.push('--api-key-file', relative(folder, keyPath));
  return `${program} generate "A lighthouse at dawn, gouache"${options.length === 0 ? '' : ` ${shellWords(options)}`}`;
}
