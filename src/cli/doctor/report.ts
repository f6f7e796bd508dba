import type { ClientOptions } from '../client-settings.ts';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { printJson } from '../terminal/json.ts';
import { isLive, type LiveLines, liveLines } from '../terminal/live-lines.ts';
import { type Style, styleOf } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { oneLine, pad, wrap } from '../terminal/text.ts';
import { type Examined, examine } from './examination.ts';

const MARKS = { good: '✓', look: '!', wrong: '✗' } as const;
const COLOURS = { good: 'green', look: 'yellow', wrong: 'red' } as const;

/** Of the longest name, and a gap. */
const NAME_COLUMNS = 15;
/** Beyond this a line is hard to read. */
const WIDEST = 100;

/** @throws {CommandFailure} where something is wrong. */
export async function printExamination(
  terminal: Terminal,
  options: ClientOptions & { json: boolean },
): Promise<void> {
  const { stdout, stderr, environment } = terminal;
  const style = styleOf(stdout);
  const all: Examined[] = [];
  let waiting: LiveLines | undefined;
  const onLook = (name: string) => {
    if (!isLive(stderr, environment)) return;
    const { cyan, dim } = styleOf(stderr);
    waiting = liveLines(stderr, ({ spinner }) => [`${cyan(spinner)} ${dim(name)}`]);
  };
  try {
    for await (const examined of examine(terminal, options, onLook)) {
      waiting?.stop();
      waiting = undefined;
      all.push(examined);
      if (!options.json)
        stdout.write(
          `${linesOf(examined, style, stdout.isTTY === true ? (stdout.columns ?? 80) : undefined).join('\n')}\n`,
        );
    }
  } finally {
    waiting?.stop();
  }
  const count = (state: Examined['state']) => all.filter((examined) => examined.state === state).length;
  if (options.json) {
    printJson(stdout, {
      ok: count('wrong') === 0,
      checks: all.map(({ name, state, found, advice }) => ({ name, state, found, advice: advice ?? null })),
    });
  } else {
    stdout.write(`\n${style.dim(`${summary(count('look'), count('wrong'))} No image was bought.`)}\n`);
  }
  if (count('wrong') > 0) throw new CommandFailure(EXIT.failed);
}

function summary(toLookAt: number, wrong: number): string {
  const things = (count: number) => (count === 1 ? 'one thing' : `${count} things`);
  if (wrong === 0 && toLookAt === 0) return 'All is well.';
  const parts = [
    ...(wrong === 0 ? [] : [`${things(wrong)} will not work`]),
    ...(toLookAt === 0 ? [] : [`${things(toLookAt)} to look at`]),
  ];
  const text = parts.join(', ');
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function linesOf(
  { name, state, found, advice }: Examined,
  style: Style,
  columns: number | undefined,
): string[] {
  const indent = 2 + NAME_COLUMNS;
  // In a file, a finding is one line.
  const room = columns === undefined ? Infinity : Math.max(30, Math.min(columns, WIDEST) - indent);
  const [first = '', ...others] = wrap(oneLine(found), room);
  const colour = style[COLOURS[state]];
  return [
    `${colour(MARKS[state])} ${style.bold(pad(name, NAME_COLUMNS))}${first}`,
    ...others.map((line) => ' '.repeat(indent) + line),
    ...(advice === undefined ? [] : wrap(oneLine(advice), room)).map(
      (line) => ' '.repeat(indent) + (state === 'good' ? style.dim : colour)(line),
    ),
  ];
}
