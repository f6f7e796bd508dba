import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT, type Sample } from './readme-pages.ts';

export const MAIN = join(ROOT, 'src/main.ts');
const READY_MS = 30_000;

/** What samples say for readers, and what it stands for in a test. */
export type Substitutions = Readonly<Record<string, string>>;

/** A sample as the test runs it. @throws {Error} where a substitution finds nothing, so that none is outlived. */
export function substitute(sample: string, substitutions: Substitutions): string {
  return Object.entries(substitutions).reduce((changed, [said, meant]) => {
    if (!changed.includes(said)) throw new Error(`The sample does not say "${said}":\n${sample}`);
    return changed.replaceAll(said, meant);
  }, sample);
}

/** A working folder as a reader would have it, with the files of these samples. */
export async function sampleFolder(samples: readonly Sample[] = []): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gesso-readme-'));
  for (const { fileName, text: content } of samples) {
    if (fileName !== undefined) await writeFile(join(folder, fileName), content);
  }
  return folder;
}

/** A port that is free now, on loopback. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return address.port;
}

export interface SampleGateway {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Everything that it wrote to the terminal. */
  readonly output: string;
  /** Ends it as an operator would, and removes its folder. Resolves with the exit code. */
  close(): Promise<number | null>;
}

/** Runs the gateway in a folder by these arguments of Node, and resolves when it is ready. */
export async function startSampleGateway(
  folder: string,
  {
    nodeArguments = [MAIN, 'start'],
    environment = {},
  }: { nodeArguments?: readonly string[]; environment?: Readonly<Record<string, string>> } = {},
): Promise<SampleGateway> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const child = spawn(process.execPath, nodeArguments, {
    cwd: folder,
    // None of our own environment, in which Vitest sets NODE_ENV, and others may set what they like.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const close = async (): Promise<number | null> => {
    await end(child);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    return child.exitCode;
  };
  try {
    await untilReady(child, url, () => output);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    port,
    folder,
    get output() {
      return output;
    },
    close,
  };
}

async function untilReady(child: ChildProcess, url: string, output: () => string): Promise<void> {
  const limit = performance.now() + READY_MS;
  while (performance.now() < limit && child.exitCode === null && child.signalCode === null) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.status === 200 && output().includes('Gesso is ready')) return;
    await delay(50);
  }
  throw new Error(`The gateway did not get ready:\n${output()}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(timer);
}

/** Runs a sample in bash, as a reader would; resolves with what it printed. @throws {Error} when it fails. */
export async function runInBash(script: string, folder: string): Promise<string> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const [printed, complained] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode] = await exited;
  if (exitCode !== 0) throw new Error(`This ended with ${exitCode}:\n${script}\n${complained}`);
  return printed;
}
