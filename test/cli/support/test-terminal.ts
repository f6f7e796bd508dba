import { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';
import type { Style } from '../../../src/cli/terminal/style.ts';
import type { Output, Terminal } from '../../../src/cli/terminal/terminal.ts';

export interface TestTerminalOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
  /** Columns of a terminal that shows all output; left out, output goes to pipes. */
  readonly columns?: number;
  /** What is read from standard input. */
  readonly input?: string;
  readonly now?: () => Date;
  /** Called with each piece that is written to standard error. */
  readonly onStderr?: (text: string) => void;
}

export interface TestTerminal extends Terminal {
  /** What was written so far. */
  readonly written: { readonly stdout: Buffer; readonly stderr: string };
  /** As Ctrl-C does. */
  interrupt(): void;
}

/** A terminal, or pipes, that remember what was written to them. */
export function testTerminal(options: TestTerminalOptions = {}): TestTerminal {
  const { environment = {}, folder = process.cwd(), columns, input = '', now = () => new Date() } = options;
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  const output = (name: 'stdout' | 'stderr'): Output => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks[name].push(chunk);
        if (name === 'stderr') options.onStderr?.(chunk.toString());
        done();
      },
    });
    if (columns === undefined) return stream;
    // As Node asks a real one, so that NO_COLOR is heard here too.
    const getColorDepth = () =>
      WriteStream.prototype.getColorDepth({ COLORTERM: 'truecolor', ...environment });
    return Object.assign(stream, { isTTY: true, columns, rows: 40, getColorDepth });
  };
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  return {
    stdin: Object.assign(
      (async function* () {
        if (input !== '') yield input;
      })(),
      { isTTY: columns !== undefined },
    ),
    stdout: output('stdout'),
    stderr: output('stderr'),
    environment,
    folder,
    program: 'gesso',
    now,
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    written: {
      get stdout() {
        return Buffer.concat(chunks.stdout);
      },
      get stderr() {
        return Buffer.concat(chunks.stderr).toString();
      },
    },
    interrupt() {
      for (const listener of listeners) listener('SIGINT');
    },
  };
}

const plain = (text: string) => text;
/** No colours, whatever the environment of the tests says. */
export const plainStyle: Style = {
  bold: plain,
  dim: plain,
  green: plain,
  yellow: plain,
  red: plain,
  cyan: plain,
};

/** The lines of a text, without the colours that a terminal would show. */
export const plainLines = (text: string | Buffer): string[] =>
  stripColours(String(text)).trimEnd().split('\n');

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
export const stripColours = (text: string): string => text.replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, '');
