import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Random, randomFrom } from '../../src/sandbox/random.ts';
import { collectEvidence, untilAllEnded } from '../support/collect-evidence.ts';
import type { Evidence, LedgerGeneration } from '../support/evidence.ts';
import { isBilledIn, judge, type Violation } from '../support/judge.ts';
import { createLoad, type Load } from '../support/load.ts';
import { FRONT, type Replica, type Replicas, startReplicas } from '../support/replicas.ts';
import { troubledUpstream } from '../support/troubles.ts';

/**
 * Kills a random one of three replicas with SIGKILL at a random moment, starts it again, and so on, under a load of mixed
 * keys from two clients on an upstream on which three calls in ten go wrong. Then lets all end, and asks the judge.
 *
 *     npx node test/replicas/kill-rounds.ts --rounds 200 --seed lighthouse
 *
 * The seed decides who is killed when, what is wanted and what the upstream does to which prompt; how the processes
 * are scheduled, it can't. Ends with 1 when a rule was broken, or a request refused.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: 'lighthouse' } },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds takes a whole number from 1.');
const { seed } = values;

/** Between two kills, in milliseconds: so that a replica may live long enough to look for what the dead have left. */
const MOMENTS_MS = [1_500, 6_000] as const;
/** So many images each client wants at once, at most so long before the kill, in milliseconds. */
const BURST = 12;
const BURST_BEFORE_MS = 500;
/** In so many rounds the store answers 503 around the kill, so that pictures are found staged and not stored. */
const STORE_AWAY = 0.3;
const SETTLE_MS = 180_000;

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** Kills one of those that are ready, when another one is, and resolves with it: it is then to be started again. */
async function killOnce({ ready, lost, replicas, load, random }: Round): Promise<Replica> {
  const momentMs = random.whole(...MOMENTS_MS);
  const burstBeforeMs = random.whole(0, BURST_BEFORE_MS);
  const storeIsAway = random.chance(STORE_AWAY);
  await delay(momentMs - burstBeforeMs);
  while (ready.size < 2 && lost.length === 0) await delay(20);
  if (lost.length > 0) throw lost[0];
  load.wantSome(BURST);
  if (storeIsAway) replicas.store.failWith(503);
  await delay(burstBeforeMs);
  const victim = random.pick([...ready] as [Replica, ...Replica[]]);
  ready.delete(victim);
  const { signal } = await victim.kill('SIGKILL');
  if (signal !== 'SIGKILL') throw new Error(`A replica ended by itself:\n${victim.output.slice(-4_000)}`);
  replicas.store.failWith(undefined);
  return victim;
}

interface Round {
  /** The replicas that take requests. */
  readonly ready: Set<Replica>;
  /** Why a replica did not start again. */
  readonly lost: unknown[];
  readonly replicas: Replicas;
  readonly load: Load;
  readonly random: Random;
}

async function killRounds(replicas: Replicas, load: Load): Promise<void> {
  const startedAt = performance.now();
  const ready = new Set(replicas.members);
  const round: Round = { ready, lost: [], replicas, load, random: randomFrom(seed, 'kills') };
  const restarts: Promise<unknown>[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    const victim = await killOnce(round);
    const started = victim.restart().then(
      () => ready.add(victim),
      (error: unknown) => round.lost.push(error),
    );
    restarts.push(started);
    if (number % 20 > 0) continue;
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    say(`round ${number}, ${seconds} s, ${load.intents.length} intents, ${load.open} open`);
  }
  await Promise.all(restarts);
  if (round.lost.length > 0) throw round.lost[0];
}

/** The picture was on the disk of a replica that was killed, and its next life committed it without another call. */
function isRecovered({ runner, image, attempts }: LedgerGeneration): boolean {
  const attempt = attempts.find(({ id }) => id === image?.attemptId);
  // A run is named after its process's UUIDv7, which begins with the milliseconds at which that process started.
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){4}[0-9a-f]{8}/.exec(runner ?? '')?.[0] ?? '';
  const startedAtMs = Number.parseInt(uuid.replaceAll('-', '').slice(0, 12), 16);
  return attempt !== undefined && attempt.startedAt.getTime() < startedAtMs;
}

function summaryOf(evidence: Evidence, violations: readonly Violation[]): Record<string, number> {
  const { intents, calls, generations } = evidence;
  const callsOf = Map.groupBy(calls, ({ requestId }) => requestId ?? '');
  const attempts = generations.flatMap((generation) => generation.attempts);
  const billedOf = (generation: LedgerGeneration) => generation.attempts.filter(isBilledIn(callsOf)).length;
  return {
    rounds,
    intents: intents.length,
    generations: generations.length,
    succeeded: generations.filter(({ status }) => status === 'SUCCEEDED').length,
    calls: calls.length,
    billed: calls.filter(({ billed }) => billed).length,
    'attempts UNKNOWN': attempts.filter(({ outcome }) => outcome === 'UNKNOWN').length,
    'of these, cut off by a kill': attempts.filter(({ errorCode }) => errorCode === 'CUT_OFF').length,
    'generations UNKNOWN': generations.filter(({ status }) => status === 'UNKNOWN').length,
    'recovered from staging': generations.filter(isRecovered).length,
    'duplicates permitted': generations.reduce((sum, each) => sum + Math.max(billedOf(each) - 1, 0), 0),
    violations: violations.length,
  };
}

/** True where all was well. */
async function run(replicas: Replicas): Promise<boolean> {
  const startedAt = performance.now();
  const clients = [await replicas.addClient('amber'), await replicas.addClient('birch')];
  replicas.sandbox.behaveAlways(troubledUpstream({ seed, latencyMs: [50, 400] }));
  const load = createLoad({ url: replicas.url, clients, about: 'round', seed });
  load.start({ everyMs: 200, openAtMost: 60 });
  await killRounds(replicas, load);
  await load.settle(SETTLE_MS);
  await untilAllEnded(replicas, SETTLE_MS);
  const evidence = await collectEvidence(replicas, [load]);
  const violations = judge(evidence);
  say(`\nThree replicas ${FRONT}, seed "${seed}", ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
  for (const [name, value] of Object.entries(summaryOf(evidence, violations))) {
    say(`| ${name.padEnd(28)} | ${String(value).padStart(7)} |`);
  }
  const unanswered = [...load.troubles].map(([why, times]) => `${times} × ${why}`);
  say(`\nRequests without an answer, asked again: ${unanswered.join(', ') || 'none'}`);
  for (const refusal of load.refusals) say(`refused: ${refusal}`);
  for (const { rule, says } of violations) say(`VIOLATION of "${rule}": ${says}`);
  return violations.length === 0 && load.refusals.length === 0;
}

const replicas = await startReplicas({ environment: { LOG_LEVEL: 'error' } });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Else the processes that it has started would outlive it.
  process.once(signal, () => void replicas.close().finally(() => process.exit(1)));
}
try {
  process.exitCode = (await run(replicas)) ? 0 : 1;
} finally {
  await replicas.close();
}
