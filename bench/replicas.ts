import { startBenchPostgres } from './support/bench-database.ts';
import { startProcess, stopProcess } from './support/processes.ts';
import { measureReplicas } from './support/replicas-turn.ts';

/**
 * Pictures a second of one, two and three gateways on one PostgreSQL, in turns, three rounds, each turn with fresh
 * gateways and a fresh database; and where the processor's time goes meanwhile, so that the limit can be named.
 * `npx node bench/replicas.ts [rounds] [case]`. With `BENCH_WAITS=1` it also says what PostgreSQL's backends wait for.
 *
 * In the last case a replica runs few generations at once, and the upstream takes its time: what limits it then is the
 * places, and not the processor, so that replicas add up also where they share two cores.
 */
const CASES = [
  { name: '1 KB', side: 16, latencyMs: 0, places: 4096, clientsEach: 64, countEach: 2_000 },
  { name: '1024²', side: 1024, latencyMs: 0, places: 4096, clientsEach: 16, countEach: 150 },
  { name: '1 KB, 500 ms, 32 places', side: 16, latencyMs: 500, places: 32, clientsEach: 256, countEach: 500 },
];
const MOST_REPLICAS = 3;
const [roundsGiven, caseGiven] = process.argv.slice(2);
const rounds = Number(roundsGiven ?? 3);
const cases = CASES.filter(({ name }) => caseGiven === undefined || name === caseGiven);
const withWaits = process.env.BENCH_WAITS === '1';
/** What is sent first and not measured, for each client. */
const WARM_UP = 3;

const postgres = await startBenchPostgres();
try {
  const clients = await startProcess<'ready'>('./load-process.ts', []);
  for (const each of cases) {
    const { side, latencyMs } = each;
    const upstream = await startProcess<{ url: string }>('./upstream.ts', [side, side, latencyMs]);
    for (let round = 1; round <= rounds; round++) {
      let ofOne = 0;
      for (let replicas = 1; replicas <= MOST_REPLICAS; replicas++) {
        const concurrency = each.clientsEach * replicas;
        const figures = await measureReplicas({
          replicas,
          concurrency,
          count: each.countEach * replicas,
          warmUp: WARM_UP * concurrency,
          places: each.places,
          withWaits,
          postgres,
          upstream,
          clients,
        });
        if (replicas === 1) ofOne = figures.perSecond;
        const ratio = Math.round((figures.perSecond / ofOne) * 100) / 100;
        console.log(JSON.stringify({ case: each.name, round, replicas, ratio, ...figures }));
      }
    }
    await stopProcess(upstream.child);
  }
  await stopProcess(clients.child);
} finally {
  await postgres.close();
}
