import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchPostgres } from './bench-database.ts';
import type { LoadOrder, LoadReport } from './load-process.ts';
import { readCounters, sampleBackends } from './postgres-figures.ts';
import { cpuSecondsOf, descendantsOf, mainThreadSecondsOf } from './proc.ts';
import { ask, type BenchProcess, memoryOf, startProcess, stopProcess } from './processes.ts';

export interface ReplicasTurn {
  readonly replicas: number;
  /** Of all replicas together; they are asked in turns. */
  readonly concurrency: number;
  readonly count: number;
  readonly warmUp: number;
  /** Generations at once on each replica. */
  readonly places: number;
  /** Whether to look at what PostgreSQL's backends wait for, which costs a little itself. */
  readonly withWaits: boolean;
  readonly postgres: BenchPostgres;
  readonly upstream: BenchProcess<{ readonly url: string }>;
  /** See `load-process.ts`. */
  readonly clients: BenchProcess<'ready'>;
}

/** One turn: so many fresh gateways on a fresh database, loaded once, with what each process took of the processor. */
export async function measureReplicas(turn: ReplicasTurn) {
  const { replicas, concurrency, count, warmUp, postgres, clients } = turn;
  const database = await postgres.createDatabase();
  const storage = await mkdtemp(join(tmpdir(), 'gesso-bench-images-'));
  const environment = {
    DATABASE_URL: database.url,
    GESSO_STORAGE_URL: storage,
    GESSO_URL_SECRET: 'bench-bench-bench',
    GESSO_CONCURRENCY: String(turn.places),
  };
  const gateways = await Promise.all(
    Array.from({ length: replicas }, () =>
      startProcess<{ url: string }>('./gateway.ts', [turn.upstream.ready.url], environment),
    ),
  );
  const url = gateways.map(({ ready }) => ready.url);
  const send = (requests: number) =>
    ask<LoadReport>(clients.child, {
      kind: 'load',
      url,
      count: requests,
      concurrency,
      graphql: true,
    } satisfies LoadOrder);

  await send(warmUp);
  const countersBefore = await readCounters(postgres.admin, database.name);
  const sampling = turn.withWaits ? sampleBackends(postgres.admin, database.name) : undefined;
  const cpuBefore = readCpu(turn, gateways);
  const result = await send(count);
  const cpu = readCpu(turn, gateways);
  const waits = await sampling?.();
  const counters = await readCounters(postgres.admin, database.name);

  /** Of two cores, 2 is all: what a process had of them while the load ran. */
  const cores = (after: number, before: number): number =>
    Math.round(((after - before) * 100) / result.seconds) / 100;
  const each = (name: keyof typeof counters): number =>
    Math.round(((counters[name] - countersBefore[name]) / count) * 100) / 100;
  const figures = {
    perSecond: result.perSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    errors: result.errors,
    ranOnEach: await database.ranOnEach(),
    cores: {
      gateways: cpu.gateways.map((seconds, index) => cores(seconds, cpuBefore.gateways[index] ?? 0)),
      mainThreads: cpu.mainThreads.map((seconds, index) => cores(seconds, cpuBefore.mainThreads[index] ?? 0)),
      postgres: cores(cpu.postgres, cpuBefore.postgres),
      upstream: cores(cpu.upstream, cpuBefore.upstream),
      clients: cores(cpu.clients, cpuBefore.clients),
    },
    eachGeneration: {
      commits: each('commits'),
      walFlushes: each('walFlushes'),
      walFlushMs: each('walFlushMs'),
      walBytes: Math.round(each('walBytes')),
    },
    peakMb: gateways.map(({ pid }) => memoryOf(pid, 'VmHWM')),
    ...waits,
  };
  await Promise.all(gateways.map(({ child }) => stopProcess(child)));
  await database.drop();
  await rm(storage, { recursive: true, force: true });
  return figures;
}

/** Processor time so far, in seconds. */
const readCpu = (
  { postgres, upstream, clients }: ReplicasTurn,
  gateways: readonly BenchProcess<unknown>[],
) => ({
  gateways: gateways.map(({ pid }) => cpuSecondsOf([pid])),
  mainThreads: gateways.map(({ pid }) => mainThreadSecondsOf(pid)),
  postgres: cpuSecondsOf([postgres.pid, ...descendantsOf(postgres.pid)]),
  upstream: cpuSecondsOf([upstream.pid]),
  clients: cpuSecondsOf([clients.pid]),
});
