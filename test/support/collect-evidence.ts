import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Evidence, LedgerAttempt, LedgerGeneration } from './evidence.ts';
import type { Load } from './load.ts';
import type { Replicas } from './replicas.ts';

/** How many requests the collecting of evidence has open at once. */
const AT_ONCE = 16;

/** Resolves when no generation and no job is left to be done. @throws {Error} when that takes too long. */
export async function untilAllEnded({ postgres }: Replicas, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const [left] = await postgres.sql<{ generations: number; jobs: number }>(
      `select (select count(*)::int from generations where finished_at is null) as generations,
        (select count(*)::int from gesso_queue.job j join generations g on g.id = j.id where j.state < 'completed') as jobs`,
    );
    if (left?.generations === 0 && left.jobs === 0) return;
    if (performance.now() > deadline) {
      throw new Error(`After ${timeoutMs} ms there are still ${JSON.stringify(left)} to be done.`);
    }
    await delay(100);
  }
}

/**
 * What the clients, the ledger and the upstream have to say when all is over. Asks every request again whose key is
 * held, and downloads every image, each by way of the address that clients use.
 */
export async function collectEvidence(replicas: Replicas, loads: readonly Load[]): Promise<Evidence> {
  const { sandbox, pictures } = replicas;
  const intents = loads.flatMap((load) => load.intents);
  const told = loads.flatMap((load) => load.told);
  const held = new Set(told.filter(({ retryable }) => !retryable).map(({ intent }) => intent));
  const again: Answer[] = [];
  const downloads = new Map<string, string | undefined>();
  for (const load of loads) {
    const asked = load.intents.filter((intent) => held.has(intent));
    await eachOf(asked, async (intent) => {
      const answer = await untilFinal(load, intent);
      again.push(answer);
      const { image } = answer;
      if (image !== undefined) downloads.set(image.id, await digestOf(replicas, image.url));
    });
  }
  if (sandbox.journal.dropped > 0) throw new Error('The journal of the upstream is not whole.');
  return {
    intents,
    told,
    again,
    downloads,
    calls: sandbox.journal.calls().map(({ requestId, prompt, billedAt }) => ({
      requestId,
      prompt,
      billed: billedAt !== undefined,
      sha256: requestId === undefined ? undefined : pictures.sha256Of(requestId),
    })),
    generations: await readLedger(replicas),
    attemptsAtMost: 4,
  };
}

async function untilFinal(load: Load, intent: Answer['intent']): Promise<Answer> {
  const replies: string[] = [];
  while (replies.length < 5) {
    const reply = await load.ask(intent, 10);
    if (reply.kind === 'final') return reply.answer;
    replies.push('why' in reply ? reply.why : reply.kind);
  }
  throw new Error(`"${intent.prompt}" is not answered any more: ${replies.join('; ')}`);
}

async function digestOf(replicas: Replicas, url: string): Promise<string | undefined> {
  const response = await replicas.download(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.status === 200 ? createHash('sha256').update(bytes).digest('hex') : undefined;
}

interface GenerationRow extends Omit<LedgerGeneration, 'attempts' | 'image'> {
  /** Null where there is none, and then all that is said of it. */
  readonly imageId: string | null;
  readonly imageClient: string;
  readonly attemptId: string;
  readonly sha256: string;
}

async function readLedger({ postgres }: Replicas): Promise<LedgerGeneration[]> {
  const generations = await postgres.sql<GenerationRow>(
    `select g.id, c.name as client, g.idempotency_key as key, g.key_held as "keyHeld", g.prompt, g.delivery, g.status,
      g.finished_at as "finishedAt", g.runner, j.id is not null as "openJob",
      coalesce(e.lines, 0)::int as "endingLines",
      i.id as "imageId", ic.name as "imageClient", i.attempt_id as "attemptId", i.sha256
    from generations g join clients c on c.id = g.client_id
    left join images i on i.generation_id = g.id left join clients ic on ic.id = i.client_id
    left join gesso_queue.job j on j.id = g.id and j.state < 'completed'
    left join (
      select generation_id, count(*) as lines from audit_events
      where action in ('GENERATION_SUCCEEDED', 'GENERATION_FAILED', 'GENERATION_UNKNOWN', 'GENERATION_CANCELED')
      group by generation_id
    ) e on e.generation_id = g.id
    order by g.id`,
  );
  const attempts = await postgres.sql<LedgerAttempt & { generationId: string }>(
    `select id, generation_id as "generationId", number, request_id as "requestId", outcome, error_code as "errorCode",
      started_at as "startedAt", finished_at as "finishedAt"
    from attempts order by generation_id, number`,
  );
  const attemptsOf = Map.groupBy(attempts, ({ generationId }) => generationId);
  return generations.map(({ imageId, imageClient, attemptId, sha256, ...generation }) => ({
    ...generation,
    attempts: attemptsOf.get(generation.id) ?? [],
    image: imageId === null ? undefined : { id: imageId, client: imageClient, attemptId, sha256 },
  }));
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const item of left) await work(item);
  });
  await Promise.all(workers);
}
