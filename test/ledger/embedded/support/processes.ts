import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { EmbeddedConnection } from '../../../../src/ledger/embedded/embedded-postgres.ts';

export interface GatewayProcess {
  readonly child: ChildProcess;
  /** Undefined where it was refused. */
  readonly connection: EmbeddedConnection | undefined;
  readonly refusal: string | undefined;
  close(): Promise<void>;
  killHard(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));

export function spawnGateway(dataDir: string, role = 'gateway', options: SpawnOptions = {}): ChildProcess {
  return spawn(process.execPath, [SCRIPT, dataDir, role], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...options,
  });
}

/** Starts the embedded server in a process of its own, and waits for what comes of it. */
export async function startGatewayProcess(
  dataDir: string,
  role?: string,
  options?: SpawnOptions,
): Promise<GatewayProcess> {
  const child = spawnGateway(dataDir, role, options);
  const exited = once(child, 'exit');
  const [report] = await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => [{ refusal: `the process ended with ${code}` }]),
  ]);
  return {
    child,
    connection: report.connection,
    refusal: report.refusal,
    async close() {
      // One that was refused ends by itself.
      if (report.connection !== undefined) child.send('close');
      await exited;
    },
    async killHard() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The pids of every process that works in the data folder or was told of it, this one excepted. Linux only. */
export async function processesOn(dataDir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(pids.map((pid) => concerns(pid, dataDir)));
  return pids.filter((_, index) => found[index]);
}

async function concerns(pid: number, dataDir: string): Promise<boolean> {
  try {
    const [folder, command] = await Promise.all([
      readlink(`/proc/${pid}/cwd`),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    return folder.startsWith(dataDir) || command.includes(dataDir);
  } catch {
    // It ended while we looked, or is a thread of the kernel.
    return false;
  }
}
