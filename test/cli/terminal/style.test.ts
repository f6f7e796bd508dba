import { afterEach, describe, expect, it } from 'vitest';
import { styleOf } from '../../../src/cli/terminal/style.ts';
import { testTerminal } from '../support/test-terminal.ts';

const red = (options: Parameters<typeof testTerminal>[0]) => styleOf(testTerminal(options).stdout).red('x');

describe('colour', () => {
  const before = process.env.FORCE_COLOR;
  afterEach(() => {
    if (before === undefined) delete process.env.FORCE_COLOR;
    else process.env.FORCE_COLOR = before;
  });

  it('is shown on a terminal alone', () => {
    delete process.env.FORCE_COLOR;
    expect(red({ columns: 80 })).toBe('\u001b[31mx\u001b[39m');
    expect(red({})).toBe('x');
  });

  it('is not shown where NO_COLOR is set, nor on a dumb terminal', () => {
    delete process.env.FORCE_COLOR;
    expect(red({ columns: 80, environment: { NO_COLOR: '1' } })).toBe('x');
    expect(red({ columns: 80, environment: { TERM: 'dumb', COLORTERM: undefined } })).toBe('x');
  });

  it('is shown in a pipe where FORCE_COLOR asks for it', () => {
    process.env.FORCE_COLOR = '1';
    expect(red({})).toBe('\u001b[31mx\u001b[39m');
  });
});
