import { describe, expect, it } from 'vitest';
import { shellWords } from '../../../src/cli/terminal/shell-words.ts';
import { programName } from '../../../src/cli/terminal/terminal.ts';

describe('a command for the reader to run', () => {
  it.each([
    ['/home/me/gesso/src/main.ts', {}, 'npx gesso'],
    ['/opt/gesso/src/main.ts', {}, 'node /opt/gesso/src/main.ts'],
    ['/home/me/gesso/dist/main.js', {}, 'node dist/main.js'],
    ['/home/me/app/node_modules/.bin/gesso', {}, 'npx gesso'],
    ['/home/me/.npm/_npx/1/bin/gesso.js', { npm_command: 'exec' }, 'npx gesso'],
    ['/usr/local/bin/gesso', {}, 'gesso'],
  ])('begins as this one was run: %s', (script, environment, name) => {
    expect(programName(script, environment, '/home/me/gesso')).toBe(name);
  });

  it('is quoted so that a shell reads the same words', () => {
    expect(shellWords(['generate', "it's 5 o'clock; $HOME", '--size', 'square-1024x1024'])).toBe(
      `generate 'it'\\''s 5 o'\\''clock; $HOME' --size square-1024x1024`,
    );
    expect(shellWords([''])).toBe("''");
  });
});
