import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import pg from 'pg';
import { type Endpoint, socketEndpoint, socketPath } from './endpoint.ts';
import { systemErrorCode, unlessMissing } from './system-error.ts';

/** What a server says about itself in `postmaster.pid`. */
export interface PostmasterFile {
  /** Undefined while the file is half-written, or when it was left so. */
  readonly pid: number | undefined;
  readonly endpoint: Endpoint | undefined;
  /** Whether it takes connections. */
  readonly ready: boolean;
}

const postmasterPath = (cluster: string): string => join(cluster, 'postmaster.pid');

/** Reads `postmaster.pid`; its lines are told in PostgreSQL's `src/include/utils/pidfile.h`. */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const content = await unlessMissing(readFile(postmasterPath(cluster), 'utf8'));
  if (content === undefined) return undefined;
  const [pid, , , port, socketFolder, address, , status] = content.split('\n').map((line) => line.trim());
  const host = address || (socketFolder ? cluster : undefined);
  return {
    pid: Number.parseInt(pid ?? '', 10) || undefined,
    endpoint: host === undefined ? undefined : { host, port: Number(port) },
    ready: status === 'ready',
  };
}

/**
 * Whether that pid is alive **and** is PostgreSQL on this folder: pids are used again, in containers above all.
 * Where there is no /proc, a server is ours when it proves, by SCRAM, that it knows our password.
 */
export async function isPostmasterOf(
  cluster: string,
  { pid, endpoint }: PostmasterFile,
  password: string,
): Promise<boolean> {
  if (pid === undefined || !processExists(pid)) return false;
  if (process.platform !== 'linux') return endpoint !== undefined && (await answers(endpoint, password));
  const [program = '', ...args] = await commandLine(pid);
  return basename(program) === 'postgres' && args[args.indexOf('-D') + 1] === cluster;
}

/**
 * Takes a stale `postmaster.pid` away when its pid lives on as something else: PostgreSQL would take that for a
 * running server. One whose pid is gone is left to PostgreSQL, which also looks for shared memory still in use.
 */
export async function removeStaleFiles(cluster: string, { pid }: PostmasterFile): Promise<void> {
  if (pid !== undefined && !processExists(pid)) return;
  await rm(postmasterPath(cluster), { force: true });
  const socket = socketEndpoint(cluster);
  if (socket !== undefined) await rm(`${socketPath(socket)}.lock`, { force: true });
}

/** Whether there is such a process, be it a zombie or another user's. */
export function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/**
 * The command line tells the program and the folder, and everyone may read it; a process's working folder is
 * hidden even from root in a container, when the server runs as another user.
 */
async function commandLine(pid: number): Promise<readonly string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  } catch (error) {
    // It ended meanwhile.
    if (['ENOENT', 'ESRCH'].includes(systemErrorCode(error) ?? '')) return [];
    throw error;
  }
}

/** PostgreSQL's word for "starting up" or "shutting down", which it says before it asks for a password. */
const CANNOT_CONNECT_NOW = '57P03';

async function answers(endpoint: Endpoint, password: string): Promise<boolean> {
  const client = new pg.Client({
    ...endpoint,
    user: 'gesso',
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2000,
  });
  try {
    await client.connect();
  } catch (error) {
    return systemErrorCode(error) === CANNOT_CONNECT_NOW;
  }
  await client.end();
  return true;
}
