import { basename } from 'node:path';
import type { Generation } from '../../client/index.ts';
import type { Frame } from '../terminal/live-lines.ts';
import type { Style } from '../terminal/style.ts';
import { oneLine, pad, shorten, widthOf } from '../terminal/text.ts';
import { type Phase, phaseOf } from './phase.ts';

/** What is known while images are made. */
export interface Progress {
  /** One for each image, as it was last seen. */
  readonly generations: readonly (Generation | undefined)[];
  /** Where they will be written; empty where they go to a pipe. */
  readonly files: readonly string[];
  /** Since the request. */
  readonly elapsedMs: number;
  /** Set while the gateway can't be reached. */
  readonly trouble: string | undefined;
}

/** Room for what a phase usually says, so that nothing moves when it changes. */
const PHASE_COLUMNS = 32;
const HINT = 'Ctrl-C stops the waiting, not the drawing.';

/** The lines of one frame, none wider than the terminal. */
export function progressLines(progress: Progress, { spinner, columns }: Frame, style: Style): string[] {
  const { generations, files, elapsedMs, trouble } = progress;
  const phases = generations.map(phaseOf);
  const seconds = pad(`${Math.floor(elapsedMs / 1000)} s`, 5, 'right');
  const lead = `${style.cyan(spinner)} ${style.bold(seconds)}  `;
  const room = columns - 9;
  const hint = `         ${style.dim(shorten(HINT, room))}`;
  const [only] = phases;
  if (trouble !== undefined) return [lead + style.yellow(shorten(oneLine(trouble), room)), hint];
  if (phases.length === 1 && only !== undefined) return [lead + phaseText(only, room, style), hint];

  const done = phases.filter(({ kind }) => kind === 'done').length;
  const names = files.map((file) => basename(file));
  const nameColumns = Math.min(Math.max(...names.map(widthOf)), Math.max(8, columns - 9 - PHASE_COLUMNS));
  return [
    `${lead}${done} of ${phases.length} done`,
    ...phases.map((phase, index) => {
      const name = pad(shorten(names[index] ?? '', nameColumns), nameColumns);
      return `         ${name}  ${phaseText(phase, room - nameColumns - 2, style)}`;
    }),
    hint,
  ];
}

const LOOKS = {
  waiting: 'dim',
  working: undefined,
  trouble: 'yellow',
  done: 'green',
  failed: 'red',
} as const;

function phaseText({ text, attempt, kind }: Phase, room: number, style: Style): string {
  const look = LOOKS[kind];
  const words = shorten(oneLine(text), room);
  const shown = look === undefined ? words : style[look](words);
  if (attempt === undefined || kind === 'done') return shown;
  const gap = ' '.repeat(Math.max(2, PHASE_COLUMNS - widthOf(words)));
  const left = room - widthOf(words) - gap.length;
  // Half a word says nothing.
  return widthOf(attempt) > left ? shown : `${shown}${gap}${style.dim(oneLine(attempt))}`;
}
