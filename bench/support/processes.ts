import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Starts a bench process, and resolves with what it says when it is ready. */
export async function startProcess<Ready>(script: string, args: readonly (string | number)[]) {
  const child = fork(new URL(script, import.meta.url), args.map(String), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [ready] = (await once(child, 'message')) as [Ready];
  return { child, ready };
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Resets the high-water mark of the process's memory, where the kernel lets us. */
export const memoryOf = (pid: number, field: 'VmRSS' | 'VmHWM'): number => {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
};

/** Longest stall of the gateway's event loop since the last time it was asked, in milliseconds. */
export async function longestStall(child: ChildProcess): Promise<number> {
  const answered = once(child, 'message');
  child.send('stall?');
  const [{ longestStallMs }] = (await answered) as [{ longestStallMs: number }];
  return longestStallMs;
}
