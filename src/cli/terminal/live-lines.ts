import { createLogUpdate } from 'log-update';
import type { Output } from './terminal.ts';

/** What a frame is drawn from. */
export interface Frame {
  /** One character that turns. */
  readonly spinner: string;
  /** Of the terminal. */
  readonly columns: number;
}

export interface LiveLines {
  /** Removes the lines; what is written next stands in their place. */
  stop(): void;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;

/** Whether lines can be drawn over there. */
export const isLive = (stream: Output, environment: Readonly<Record<string, string | undefined>>): boolean =>
  stream.isTTY === true && environment.TERM !== 'dumb';

/** Draws lines in a terminal again and again, each frame over the last one, until it is stopped. */
export function liveLines(stream: Output, lines: (frame: Frame) => readonly string[]): LiveLines {
  const update = createLogUpdate(stream);
  let turns = 0;
  const draw = () => {
    const spinner = SPINNER[turns % SPINNER.length] ?? '';
    turns += 1;
    update(lines({ spinner, columns: stream.columns ?? 80 }).join('\n'));
  };
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return {
    stop() {
      clearInterval(timer);
      update.clear();
      update.done();
    },
  };
}
