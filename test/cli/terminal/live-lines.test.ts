import { describe, expect, it } from 'vitest';
import { isLive, liveLines } from '../../../src/cli/terminal/live-lines.ts';
import { stripColours, testTerminal } from '../support/test-terminal.ts';

describe('live lines', () => {
  it('are drawn over each other, and leave nothing', async () => {
    const terminal = testTerminal({ columns: 40 });
    let frames = 0;
    await new Promise<void>((resolve) => {
      const live = liveLines(terminal.stderr, ({ columns }) => {
        frames += 1;
        if (frames === 3) {
          queueMicrotask(() => {
            live.stop();
            resolve();
          });
        }
        return [`frame ${frames} of ${columns}`];
      });
    });
    const { stderr } = terminal.written;
    for (const frame of ['frame 1 of 40', 'frame 2 of 40', 'frame 3 of 40']) {
      expect(stripColours(stderr)).toContain(frame);
    }
    // The last word is to erase the line.
    expect(stderr.slice(stderr.lastIndexOf('frame 3'))).toContain('\u001b[2K');
  });

  it('are for terminals that can draw', () => {
    expect(isLive(testTerminal({ columns: 80 }).stderr, {})).toBe(true);
    expect(isLive(testTerminal({ columns: 80 }).stderr, { TERM: 'dumb' })).toBe(false);
    expect(isLive(testTerminal().stderr, {})).toBe(false);
  });
});
