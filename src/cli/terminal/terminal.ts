import { join, relative } from 'node:path';

/** Where a command writes to: a terminal, a pipe or a file. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  /** Of a terminal. */
  readonly columns?: number;
};

/** Where a command reads from. */
export type Input = AsyncIterable<Buffer | string> & { readonly isTTY?: boolean };

/** All that commands know of the process they run in; tests pass another one. */
export interface Terminal {
  readonly stdin: Input;
  /** For data, and nothing else. */
  readonly stdout: Output;
  /** For everything that is not data. */
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  /** What a reader types to run this program again: `gesso`, or `npx gesso`. */
  readonly program: string;
  readonly now: () => Date;
  /** Tells of Ctrl-C and SIGTERM, in place of what they would do; returns a function that stops telling. */
  readonly onInterrupt: (listener: (signal: NodeJS.Signals) => void) => () => void;
}

/** The process itself. */
export function processTerminal(argv: readonly string[]): Terminal {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    folder: process.cwd(),
    program: programName(argv[1] ?? '', process.env),
    now: () => new Date(),
    onInterrupt(listener) {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
  };
}

/** @param script as Node was told it. */
export function programName(
  script: string,
  environment: Readonly<Record<string, string | undefined>>,
  folder = process.cwd(),
): string {
  if (/[\\/]main\.[jt]s$/.test(script)) {
    const path = relative(folder, script);
    // In a clone npm finds the project's own command, and its own Node.
    return path === join('src', 'main.ts') ? 'npx gesso' : `node ${path.startsWith('..') ? script : path}`;
  }
  // Of npx, and of a local installation, where `gesso` alone is found by nobody.
  const isLocal = /[\\/]node_modules[\\/]/.test(script);
  return environment.npm_command === 'exec' || isLocal ? 'npx gesso' : 'gesso';
}
