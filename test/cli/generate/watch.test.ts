import { describe, expect, it } from 'vitest';
import { watch } from '../../../src/cli/generate/watch.ts';
import { testTerminal } from '../support/test-terminal.ts';

describe('trouble, in a pipe', () => {
  it('is told once, and then at growing intervals with the time that went by', () => {
    let seconds = 100;
    const terminal = testTerminal({ now: () => new Date(seconds * 1000) });
    const progress = watch(terminal, { files: ['boat.png'], count: 1 });
    for (; seconds < 180; seconds += 1)
      progress.trouble(`It is away (${seconds % 2 ? 'reset' : 'refused'}).`);
    expect(terminal.written.stderr.trim().split('\n')).toEqual([
      'gesso: It is away (refused). Trying again.',
      'gesso: It is away (refused). Trying again, 10 s after it was asked for.',
      'gesso: It is away (refused). Trying again, 30 s after it was asked for.',
      'gesso: It is away (refused). Trying again, 70 s after it was asked for.',
    ]);
  });
});
