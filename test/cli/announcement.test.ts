import { describe, expect, it } from 'vitest';
import { announce } from '../../src/cli/announcement.ts';
import { readConfig } from '../../src/config.ts';
import type { GessoConfig } from '../../src/plugin.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { testTerminal } from './support/test-terminal.ts';

/** Only its name is told. */
const other: Provider = {
  name: 'other',
  models: ['other-1'],
  sizes: ['auto'],
  generate: () => Promise.reject(new Error('It is not asked.')),
  close: () => Promise.resolve(),
};

function announced(environment: Record<string, string>, routing?: GessoConfig['routing']): string {
  const terminal = testTerminal({ folder: '/srv/gesso' });
  announce(terminal, {
    config: readConfig(environment, { hasProviders: true }),
    extensions: { plugins: [{ name: 'other', providers: [other] }], ...(routing && { routing }) },
    configFile: '/srv/gesso/gesso.config.ts',
    url: 'http://localhost:4000',
    port: 4000,
    developmentKey: undefined,
    sandboxUrl: undefined,
  });
  return terminal.written.stdout.toString();
}

describe('what start says of its providers', () => {
  const both = { BETTERTOKEN_API_KEY: 'sk-of-the-tests' };

  it('names those of plug-ins first, as they are asked, and the built-in one where it has a key', () => {
    expect(announced({})).toContain(
      '  Configuration: gesso.config.ts (plug-ins: other)\n  Providers: other\n',
    );
    expect(announced(both)).toContain('  Providers: other, bettertoken\n');
  });

  it('tells the route between them, by order or by weight; the setting goes before the file', () => {
    const ordered = { strategy: 'ordered', order: ['bettertoken', 'other'] } as const;
    expect(announced(both, ordered)).toContain('other, bettertoken; route: bettertoken, then other\n');
    const weighted = { ...both, GESSO_ROUTE: 'bettertoken=3,other=1' };
    expect(announced(weighted, ordered)).toContain('other, bettertoken; route: bettertoken 3, other 1\n');
  });
});
