import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CommandOptions {
  /** Program and first arguments. @default this checkout's `gesso` */
  readonly command?: readonly string[];
  readonly cwd: string;
  /** All that the command finds in its environment, besides what every program needs. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Ends the command with SIGKILL, in milliseconds. @default 25000 */
  readonly timeoutMs?: number;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that is running. */
export interface RunningCommand {
  readonly stdout: string;
  /**
   * Resolves with the first match in what it writes to stdout.
   * @throws {Error} with all its output when it ends without one.
   */
  untilMatch(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when it has ended. */
  readonly finished: Promise<Finished>;
  kill(signal: NodeJS.Signals): void;
}

const GESSO = [process.execPath, fileURLToPath(new URL('../../src/main.ts', import.meta.url))];

/** What programs need to run at all; no setting of ours, and nothing of the test runner's. */
const NEEDED =
  /^(PATH|HOME|USER|LANG|TMPDIR|TEMP|TMP|SystemRoot|APPDATA|(https?|all|no)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|npm_config_(registry|cache|cafile|ca|proxy|https_proxy|noproxy|userconfig|globalconfig))$/i;

/** Starts a command in a process of its own. */
export function startCommand(args: readonly string[], options: CommandOptions): RunningCommand {
  const { command = GESSO, cwd, environment = {}, timeoutMs = 25_000 } = options;
  const [program = '', ...first] = command;
  const needed = Object.entries(process.env).filter(([name]) => NEEDED.test(name));
  const child: ChildProcess = spawn(program, [...first, ...args], {
    cwd,
    env: { ...Object.fromEntries(needed), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watcher of watchers) watcher();
  };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    get stdout() {
      return stdout;
    },
    finished,
    kill: (signal) => void child.kill(signal),
    untilMatch: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(stdout);
          if (match === null) return;
          watchers.delete(look);
          resolve(match);
        };
        watchers.add(look);
        look();
        finished.then(
          ({ code }) => reject(new Error(`It ended with ${code} before ${pattern}:\n${stdout}\n${stderr}`)),
          reject,
        );
      }),
  };
}

/** Runs a command to its end. */
export const runCommand = (args: readonly string[], options: CommandOptions): Promise<Finished> =>
  startCommand(args, options).finished;
