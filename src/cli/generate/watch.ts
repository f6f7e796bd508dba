import type { Generation } from '../../client/index.ts';
import { isLive, liveLines } from '../terminal/live-lines.ts';
import { duration } from '../terminal/quantities.ts';
import { styleOf } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { oneLine } from '../terminal/text.ts';
import { phaseOf } from './phase.ts';
import { progressLines } from './progress.ts';

/** Shows how images come along, on standard error. */
export interface Watch {
  /** Each image as it was last seen. */
  readonly generations: readonly (Generation | undefined)[];
  readonly saw: (generation: Generation, index: number) => void;
  /** The gateway can't be reached; it is tried again. */
  readonly trouble: (message: string) => void;
  readonly stop: () => void;
}

/** In a pipe, before the same trouble is told again, in milliseconds; twice as long each time. */
const FIRST_SILENCE_MS = 10_000;

/** Live lines on a terminal; elsewhere a line for trouble, and at growing intervals how long it lasts. */
export function watch(
  { stderr, environment, now }: Terminal,
  { files, count }: { files: readonly string[]; count: number },
): Watch {
  const generations: (Generation | undefined)[] = Array.from({ length: count }, () => undefined);
  const startedAt = now().getTime();
  const style = styleOf(stderr);
  let trouble: string | undefined;
  let silence = { untilMs: 0, lengthMs: FIRST_SILENCE_MS };
  const live = isLive(stderr, environment)
    ? liveLines(stderr, (frame) =>
        progressLines({ generations, files, elapsedMs: now().getTime() - startedAt, trouble }, frame, style),
      )
    : undefined;
  const say = (text: string) => {
    if (live === undefined) stderr.write(`gesso: ${oneLine(text)}\n`);
  };
  return {
    generations,
    saw(generation, index) {
      trouble = undefined;
      const before = phaseOf(generations[index]);
      generations[index] = generation;
      const { text, attempt, kind } = phaseOf(generation);
      if (kind === 'trouble' && text !== before.text) {
        say([files[index], `${text}, ${attempt}`].filter(Boolean).join(': '));
      }
    },
    trouble(message) {
      trouble = `${message} Trying again.`;
      const nowMs = now().getTime();
      if (nowMs < silence.untilMs) return;
      const when = silence.untilMs === 0 ? '.' : `, ${duration(nowMs - startedAt)} after it was asked for.`;
      say(`${message} Trying again${when}`);
      silence = { untilMs: nowMs + silence.lengthMs, lengthMs: silence.lengthMs * 2 };
    },
    stop: () => live?.stop(),
  };
}
