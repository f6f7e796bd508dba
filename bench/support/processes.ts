import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** A process of the bench, and what it said when it was ready. */
export interface BenchProcess<Ready> {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ready: Ready;
}

/** Starts a bench process, and resolves with what it says when it is ready. */
export async function startProcess<Ready>(
  script: string,
  args: readonly (string | number)[],
  environment: Readonly<Record<string, string>> = {},
): Promise<BenchProcess<Ready>> {
  const child = fork(new URL(script, import.meta.url), args.map(String), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
  });
  return { child, pid: child.pid ?? 0, ready: await nextWord<Ready>(child) };
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Sends a message, and resolves with the answer. */
export async function ask<Answer>(child: ChildProcess, message: object | string): Promise<Answer> {
  const answered = nextWord<Answer>(child);
  child.send(message);
  return answered;
}

/** What the process says next. @throws {Error} when it ends instead. */
async function nextWord<Word>(child: ChildProcess): Promise<Word> {
  const over = new AbortController();
  const { signal } = over;
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`A process of the bench ended with ${code}: ${child.spawnargs.join(' ')}`);
  });
  try {
    const [word] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Word];
    return word;
  } finally {
    over.abort();
    ended.catch(() => undefined);
  }
}

/** Memory now, or at its highest since the process began, in MB. */
export const memoryOf = (pid: number, field: 'VmRSS' | 'VmHWM'): number => {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
};

/** Longest stall of the process's event loop since the last time it was asked, in milliseconds. */
export async function longestStall(child: ChildProcess): Promise<number> {
  return (await ask<{ longestStallMs: number }>(child, 'stall?')).longestStallMs;
}
