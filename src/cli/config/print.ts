import { relative } from 'node:path';
import { configOf, loadConfigFile } from '../config-file.ts';
import { printJson } from '../terminal/json.ts';
import { styleOf } from '../terminal/style.ts';
import { type Column, table } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type EffectiveSetting, effectiveSettings, type Source } from './effective-settings.ts';

const SOURCES: Readonly<Record<Exclude<Source, 'file' | 'config'>, string>> = {
  environment: 'environment',
  default: 'default',
  unset: '',
};

const COLUMNS: readonly Column<EffectiveSetting>[] = [
  {
    header: 'SETTING',
    text: ({ name }) => name,
    look: (row, style) => (isSet(row) ? style.bold : style.dim),
    expendable: 1,
  },
  {
    header: 'ENVIRONMENT',
    text: ({ env }) => env,
    look: (row, style) => (isSet(row) ? style.bold : style.dim),
  },
  {
    header: 'FROM',
    text: ({ source, path }) => (source === 'file' || source === 'config' ? (path ?? '') : SOURCES[source]),
    look: (row, style) => (isSet(row) ? style.cyan : style.dim),
    least: 12,
  },
  {
    header: 'VALUE',
    text: ({ value }) => value ?? '-',
    look: (row, style) => (isSet(row) ? (text) => text : style.dim),
    least: 24,
  },
];

const isSet = ({ source }: EffectiveSetting): boolean => source !== 'default' && source !== 'unset';

/**
 * Prints the settings, also where they can't be used together.
 * @throws {ConfigError} after they are printed, where the gateway would not start with them.
 */
export async function printConfig(terminal: Terminal, { json }: { json: boolean }): Promise<void> {
  const { environment, folder, stdout } = terminal;
  const file = await loadConfigFile(folder);
  const settings = effectiveSettings(file, { environment, folder });
  const plugins = (file.extensions.plugins ?? []).map(({ name }) => name);
  if (json) {
    printJson(stdout, {
      file: file.path ?? null,
      plugins,
      settings: settings.map(({ value, path, ...setting }) => ({
        ...setting,
        value: value ?? null,
        path: path ?? null,
      })),
    });
  } else {
    const style = styleOf(stdout);
    const columns = stdout.isTTY === true ? (stdout.columns ?? 80) : undefined;
    const from = file.path === undefined ? 'none' : relative(folder, file.path);
    const lines = table(settings, COLUMNS, { columns, style });
    lines.push('', style.dim(`Configuration file: ${from}`));
    if (plugins.length > 0) lines.push(style.dim(`Plug-ins: ${plugins.join(', ')}`));
    stdout.write(`${lines.join('\n')}\n`);
  }
  configOf(file, { ...environment });
}
