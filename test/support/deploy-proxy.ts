import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { deployFile } from './deploy.ts';
import { freePort, substitute } from './readme-gateway.ts';

/** Debian keeps it where only root's PATH leads. */
const PROGRAMS = ['nginx', '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'];
const program = PROGRAMS.find((candidate) => spawnSync(candidate, ['-v']).status === 0);

/** False where nginx is not installed: what needs it is then skipped, and says so. */
export const hasNginx = program !== undefined;

const READY_MS = 10_000;

/** nginx with deploy/nginx.conf. */
export interface RunningProxy {
  readonly url: string;
  /** All that it wrote to its logs. */
  logs(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts it as compose.yaml does, but for what needs Docker: replicas by port of loopback rather than by name, and a
 * folder of its own in the place of /tmp.
 */
export async function startProxy(replicaPorts: readonly [number, number]): Promise<RunningProxy> {
  if (program === undefined) throw new Error('nginx is not installed.');
  const folder = await mkdtemp(join(tmpdir(), 'gesso-proxy-'));
  // Started by root, its workers are others.
  await chmod(folder, 0o755);
  const port = await freePort();
  const configuration = join(folder, 'nginx.conf');
  await writeFile(
    configuration,
    substitute(deployFile('nginx.conf'), {
      '/tmp/': `${folder}/`,
      'gateway-1:4000 resolve': `127.0.0.1:${replicaPorts[0]}`,
      'gateway-2:4000 resolve': `127.0.0.1:${replicaPorts[1]}`,
      'listen 8080;': `listen 127.0.0.1:${port};`,
      '/dev/stdout': `${folder}/access.log`,
      'worker_processes auto;': 'worker_processes 1;',
    }),
  );
  const user = process.geteuid?.() === 0 ? `user ${userInfo().username};` : '';
  const child = spawn(
    program,
    ['-p', folder, '-c', configuration, '-e', 'stderr', '-g', `daemon off; ${user}`],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const limit = performance.now() + READY_MS;
  while ((await fetch(`${url}/nothing`).catch(() => undefined))?.status !== 404) {
    if (child.exitCode !== null || performance.now() > limit) {
      await close();
      throw new Error(`nginx did not start:\n${errors}`);
    }
    await delay(20);
  }
  return { url, logs: async () => `${await readFile(join(folder, 'access.log'), 'utf8')}${errors}`, close };
}

/** What stands in for a gateway: notes what comes, and answers as told. */
export interface Replica {
  readonly port: number;
  /** `POST /graphql {…}`, in the order in which they came. */
  readonly received: readonly string[];
  /** What is done with the next requests. @default echoes the headers */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
}

export async function startReplica(): Promise<Replica> {
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    received.push(`${request.method} ${request.url} ${await text(request)}`.trim());
    replica.answer(request, response);
  });
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => [...protocols][0] ?? false });
  sockets.on('connection', (socket) => {
    socket.on('message', (message) => socket.send(`heard ${message}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const replica: Replica = {
    port: (server.address() as AddressInfo).port,
    received,
    answer: (request, response) => response.end(JSON.stringify(request.headers)),
    async close() {
      if (!server.listening) return;
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return replica;
}
