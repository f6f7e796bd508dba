import { load } from './support/load.ts';
import { longestStall, memoryOf, startProcess, stopProcess } from './support/processes.ts';

/**
 * Fifty 4K pictures that finish together: peak memory and longest stall of the gateway, everything on.
 * `npx node bench/burst.ts [count]`.
 */
const count = Number(process.argv[2] ?? 50);
const upstream = await startProcess<{ url: string; byteSize: number }>('./upstream.ts', [3840, 2160, 2000]);
const gateway = await startProcess<{ url: string }>('./gateway.ts', [upstream.ready.url]);
const idleMb = memoryOf(gateway.child.pid ?? 0, 'VmRSS');
await load({ url: gateway.ready.url, count: 2, concurrency: 2, graphql: true });
await longestStall(gateway.child);
const result = await load({ url: gateway.ready.url, count, concurrency: count, graphql: true });
console.log(
  JSON.stringify({
    pictures: count,
    pictureBytes: upstream.ready.byteSize,
    ...result,
    idleMb,
    peakMb: memoryOf(gateway.child.pid ?? 0, 'VmHWM'),
    longestStallMs: await longestStall(gateway.child),
  }),
);
await stopProcess(gateway.child);
await stopProcess(upstream.child);
