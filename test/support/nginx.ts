import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A real nginx in front of several replicas, with the 60 s of idleness that many load balancers allow. */
export interface Nginx {
  readonly url: string;
  /** One line for every request that was answered or given up, oldest first. */
  passed(): Promise<PassedRequest[]>;
  close(): Promise<void>;
}

/** What became of a request, as nginx has it. */
export interface PassedRequest {
  readonly method: string;
  readonly status: number;
  /** The replicas that it was given to, one after the other, as `host:port`. */
  readonly replicas: readonly string[];
  /** What each of them answered; 502 where no connection came about, or it broke. */
  readonly statuses: readonly string[];
}

/** Debian keeps it where only root's PATH leads. */
const PROGRAMS = ['nginx', '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'];
const program = PROGRAMS.find((candidate) => spawnSync(candidate, ['-v']).status === 0);

/** False where nginx is not installed: tests that need it are skipped, and say so in their name. */
export const hasNginx = program !== undefined;

const READY_MS = 10_000;

/** Listens on `port` of loopback, in front of replicas on these ports. */
export async function startNginx({
  port,
  replicaPorts,
}: {
  port: number;
  replicaPorts: readonly number[];
}): Promise<Nginx> {
  if (program === undefined) throw new Error('nginx is not installed.');
  const folder = await mkdtemp(join(tmpdir(), 'gesso-nginx-'));
  const configuration = join(folder, 'nginx.conf');
  await writeFile(configuration, configurationOf({ folder, port, replicaPorts }));
  const child = spawn(program, ['-p', folder, '-c', configuration, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const url = `http://127.0.0.1:${port}`;
  await untilListening(url, child, () => complaints);
  return {
    url,
    async passed() {
      const lines = (await readFile(join(folder, 'access.log'), 'utf8')).trim().split('\n');
      return lines.filter((line) => line !== '').map(parseLine);
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * One process, that goes when it is killed. A replica that refuses a connection is left out for a second, and the
 * request goes to the next one. A mutation that was sent to a replica is sent to no other by nginx, which knows
 * nothing of idempotency keys (no `non_idempotent` in `proxy_next_upstream`): its client asks again, with its key.
 */
const configurationOf = ({
  folder,
  port,
  replicaPorts,
}: {
  folder: string;
  port: number;
  replicaPorts: readonly number[];
}): string => `
daemon off;
master_process off;
${process.geteuid?.() === 0 ? `user ${userInfo().username};` : ''}
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  log_format passed '$request_method|$status|$upstream_addr|$upstream_status';
  access_log ${folder}/access.log passed;
  client_body_temp_path ${folder}/client;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' '';
  }
  upstream replicas {
${replicaPorts.map((replica) => `    server 127.0.0.1:${replica} max_fails=1 fail_timeout=1s;`).join('\n')}
  }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 2m;
    location / {
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      proxy_read_timeout 60s;
      proxy_next_upstream error;
    }
  }
}
`;

async function untilListening(url: string, child: ChildProcess, complaints: () => string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(url, { redirect: 'manual' }).catch(() => undefined);
    if (answer !== undefined) return;
    await delay(20);
  }
  child.kill('SIGKILL');
  throw new Error(`nginx did not start:\n${complaints()}`);
}

function parseLine(line: string): PassedRequest {
  const [method = '', status = '', replicas = '', statuses = ''] = line.split('|');
  // A dash stands for none: all replicas were left out, or the client went first.
  const list = (text: string) => text.split(', ').filter((item) => item !== '-' && item !== 'replicas');
  return { method, status: Number(status), replicas: list(replicas), statuses: list(statuses) };
}
