import type { LoadOrder, LoadReport } from './support/load-process.ts';
import type { UpstreamFigures, UpstreamOrder } from './support/prepared-upstream.ts';
import { cpuSecondsOf, descendantsOf, descriptorLimit, mainThreadSecondsOf } from './support/proc.ts';
import { ask, type BenchProcess, longestStall, startProcess, stopProcess } from './support/processes.ts';
import { watchMemory } from './support/watch-memory.ts';

/**
 * Two thousand generations that wait at once on one replica for an upstream that takes its time: what waiting costs, and
 * what is added to it. With the bare pipe under the same load as the baseline.
 *
 * `npx node bench/waiting.ts [count] [rounds] [case]`. Each that waits holds two sockets of the gateway, so that
 * `ulimit -Hn` must be above twice the count: 4500 for 2,000.
 */
const [countGiven, roundsGiven, caseGiven] = process.argv.slice(2);
const count = Number(countGiven ?? 2_000);
const rounds = Number(roundsGiven ?? 1);

/**
 * They end as fast as they arrive. A hundred a second is more than two cores decode, which is what the third case is
 * for: it has its 2,000 waiting as well, and ends at a rate that two cores keep up with.
 */
const CASES = [
  { name: '1 KB, 100 a second', side: 16, upstreamSeconds: 30, perSecond: 100 },
  { name: '1024², 100 a second', side: 1024, upstreamSeconds: 30, perSecond: 100 },
  { name: '1024², 30 a second', side: 1024, upstreamSeconds: 70, perSecond: 30 },
  { name: '1024², 1000 a second', side: 1024, upstreamSeconds: 30, perSecond: 1000 },
];
const TARGETS = [
  { name: 'bare pipe', script: './bare-pipe.ts', graphql: false },
  { name: 'gateway', script: './gateway.ts', graphql: true },
];
/** Asked for first, and answered at once, so that nothing is measured that happens once in a life. */
const WARM_UP = 100;

const descriptors = 2 * count + 500;
if (descriptorLimit() < descriptors) {
  console.error(`${count} at once need ${descriptors} open files a process: raise \`ulimit -Hn\`.`);
  process.exit(1);
}
const clients = await startProcess<'ready'>('./load-process.ts', []);
for (let round = 1; round <= rounds; round++) {
  for (const each of CASES.filter(({ name }) => caseGiven === undefined || name === caseGiven)) {
    const upstream = await startProcess<{ url: string; byteSize: number }>('./prepared-upstream.ts', [
      each.side,
    ]);
    for (const target of TARGETS) {
      const figures = await measure(target, upstream, each);
      console.log(JSON.stringify({ round, case: each.name, target: target.name, ...figures }));
    }
    await stopProcess(upstream.child);
  }
}
await stopProcess(clients.child);

async function measure(
  { script, graphql }: (typeof TARGETS)[number],
  upstream: BenchProcess<{ url: string; byteSize: number }>,
  { upstreamSeconds, perSecond }: (typeof CASES)[number],
) {
  const upstreamMs = upstreamSeconds * 1000;
  const target = await startProcess<{ url: string }>(script, [upstream.ready.url]);
  const { url } = target.ready;
  const tellUpstream = (order: UpstreamOrder) => ask<UpstreamFigures>(upstream.child, order);
  await tellUpstream({ latencyMs: 0 });
  await send({ kind: 'load', url, count: WARM_UP, concurrency: 16, graphql });
  await tellUpstream({ latencyMs: upstreamMs });
  await longestStall(target.child);

  const pids = { target: target.pid, upstream: upstream.pid };
  const cpuBefore = cpuSeconds(pids);
  const watched = watchMemory(target.pid, upstreamMs - 500);
  const overMs = (count / perSecond) * 1000;
  const result = await send({ kind: 'arrive', url, count, overMs, graphql });
  const memory = await watched();
  const cpuAfter = cpuSeconds(pids);
  const { peakOpen, longestStallMs: upstreamStallMs } = await tellUpstream({ latencyMs: 0 });
  const each = (name: keyof typeof cpuAfter): number =>
    Math.round(((cpuAfter[name] - cpuBefore[name]) * 10_000) / count) / 10;
  const figures = {
    count,
    pictureBytes: upstream.ready.byteSize,
    waitedAtOnce: peakOpen,
    errors: result.errors,
    seconds: result.seconds,
    addedP50Seconds: secondsOf(result.p50Ms - upstreamMs),
    addedP99Seconds: secondsOf(result.p99Ms - upstreamMs),
    ...memory,
    longestStallMs: await longestStall(target.child),
    upstreamStallMs,
    clientStallMs: result.clientStallMs,
    cpuMsEach: {
      target: each('target'),
      targetMainThread: each('targetMainThread'),
      postgres: each('postgres'),
      upstream: each('upstream'),
      clients: each('clients'),
    },
  };
  await stopProcess(target.child);
  return figures;
}

function secondsOf(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

function send(order: LoadOrder): Promise<LoadReport> {
  return ask<LoadReport>(clients.child, order);
}

/** Processor time so far. PostgreSQL is all that a gateway has started. */
function cpuSeconds({ target, upstream }: { target: number; upstream: number }) {
  return {
    target: cpuSecondsOf([target]),
    targetMainThread: mainThreadSecondsOf(target),
    postgres: cpuSecondsOf(descendantsOf(target)),
    upstream: cpuSecondsOf([upstream]),
    clients: cpuSecondsOf([clients.pid]),
  };
}
