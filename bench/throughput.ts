import { load } from './support/load.ts';
import { longestStall, memoryOf, startProcess, stopProcess } from './support/processes.ts';

/**
 * Requests a second through the whole gateway, against the bare pipe in the same run, in turns, three rounds.
 * `npx node bench/throughput.ts`. Quote the ratios; the machine's own speed drifts.
 */
const CASES = [
  { name: '1 KB, concurrency 1', width: 16, height: 16, concurrency: 1, count: 300 },
  { name: '1 KB, concurrency 64', width: 16, height: 16, concurrency: 64, count: 4000 },
  { name: '1024², concurrency 16', width: 1024, height: 1024, concurrency: 16, count: 240 },
  { name: '3840×2160, concurrency 16', width: 3840, height: 2160, concurrency: 16, count: 64 },
];
const ROUNDS = 3;

for (const { name, width, height, concurrency, count } of CASES) {
  const upstream = await startProcess<{ url: string; byteSize: number }>('./upstream.ts', [width, height]);
  const bare = await startProcess<{ url: string }>('./bare-pipe.ts', [upstream.ready.url]);
  const gateway = await startProcess<{ url: string }>('./gateway.ts', [upstream.ready.url]);
  const warm = Math.min(count, 2 * concurrency + 20);
  await load({ url: bare.ready.url, count: warm, concurrency, graphql: false });
  await load({ url: gateway.ready.url, count: warm, concurrency, graphql: true });
  for (let round = 1; round <= ROUNDS; round++) {
    const baseline = await load({ url: bare.ready.url, count, concurrency, graphql: false });
    await longestStall(gateway.child);
    const ours = await load({ url: gateway.ready.url, count, concurrency, graphql: true });
    console.log(
      JSON.stringify({
        case: name,
        round,
        pictureBytes: upstream.ready.byteSize,
        barePerSecond: baseline.perSecond,
        gatewayPerSecond: ours.perSecond,
        ratio: Math.round((ours.perSecond / baseline.perSecond) * 100) / 100,
        addedP50Ms: Math.round((ours.p50Ms - baseline.p50Ms) * 10) / 10,
        addedP99Ms: Math.round((ours.p99Ms - baseline.p99Ms) * 10) / 10,
        errors: ours.errors + baseline.errors,
        gatewayPeakMb: memoryOf(gateway.child.pid ?? 0, 'VmHWM'),
        longestStallMs: await longestStall(gateway.child),
      }),
    );
  }
  if (width === 16 && concurrency === 64) {
    const replays = await load({
      url: gateway.ready.url,
      count,
      concurrency,
      graphql: true,
      idempotencyKey: 'same',
    });
    console.log(JSON.stringify({ case: 'replay of one key, concurrency 64', ...replays }));
  }
  await Promise.all([stopProcess(gateway.child), stopProcess(bare.child)]);
  await stopProcess(upstream.child);
}
