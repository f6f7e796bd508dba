import { createExecute, type ExecuteOptions } from '../../src/dispatcher/execute.ts';
import type { Attempt, StagedPicture } from '../../src/generation.ts';
import { attemptsOf } from '../../src/ledger/attempts.ts';
import type { Run } from '../../src/ledger/run.ts';
import type { Ended } from '../../src/ledger/runs.ts';
import type { AttemptRequest } from '../../src/middleware/middleware.ts';
import { record } from '../../src/middleware/record.ts';
import { makeDelivered } from '../../src/testing/made-up.ts';
import type { TestLedger } from './ledger.ts';
import { createManualClock } from './manual-clock.ts';

const NEVER = new AbortController().signal;

/** Execution, and what came of it. */
export interface Execution {
  execute: (run: Run, canceled?: AbortSignal) => Promise<void>;
  /** How often the provider was called. */
  calls: number;
  readonly ended: Ended[];
  readonly handedOver: Run[];
  readonly errors: unknown[];
  /** Attempts whose staged files were removed, or kept aside; and the keys of blobs that were deleted. */
  readonly discarded: string[];
  readonly keptAside: string[];
  readonly deleted: string[];
}

export type ExecutionOptions = Partial<ExecuteOptions> & {
  call?: (request: AttemptRequest) => Promise<ReturnType<typeof makeDelivered>>;
  staged?: (attemptId: string) => StagedPicture | undefined;
  measure?: ExecuteOptions['keeping']['measure'];
  putFile?: () => Promise<void>;
};

/** Execution on a real ledger, with a provider, a disk and a store of the test's making. */
export function createExecution(
  ledger: TestLedger,
  {
    call = async ({ attempt }: AttemptRequest) => makeDelivered(attempt),
    staged = () => undefined,
    measure = async () => ({ width: 64, height: 48, thumbhash: 'aGFzaA==' }),
    putFile = async () => {},
    ...options
  }: ExecutionOptions = {},
): Execution {
  const { attemptLog, runs, queue, db } = ledger;
  // The ledger's time, but for waits, which pass at once.
  const hurried = createManualClock({ hurried: true });
  const clock = { ...hurried, now: () => new Date(Date.now() + hurried.elapsedMs) };
  const recording = record({ log: attemptLog, now: clock.now });
  const bench: Execution = {
    calls: 0,
    ended: [],
    handedOver: [],
    errors: [],
    discarded: [],
    keptAside: [],
    deleted: [],
    execute: (run, canceled = NEVER) => execute(run, canceled),
  };
  const execute = createExecute({
    attemptRing: (request) =>
      recording(request, (inner) => {
        bench.calls += 1;
        return call(inner);
      }),
    log: attemptLog,
    attemptsOf: async (id) => (await attemptsOf(db, [id])).get(id) ?? [],
    staging: {
      find: async (attemptId) => staged(attemptId),
      discard: async (attemptId) => void bench.discarded.push(attemptId),
    },
    keeping: {
      measure,
      store: { putFile, delete: async (key: string) => void bench.deleted.push(key) } as never,
      keepAside: async (attemptId) => `/rejected/${bench.keptAside.push(attemptId)}`,
      clock,
      onRetry: () => {},
    },
    runs,
    onward: () => undefined,
    queue,
    clock,
    signal: new AbortController().signal,
    handover: new AbortController().signal,
    onEnded: (ended) => bench.ended.push(ended),
    onHandedOver: (run) => bench.handedOver.push(run),
    onError: (error) => bench.errors.push(error),
    ...options,
  });
  return bench;
}

/** What the ledger says of a generation. */
export async function recordOfRun(ledger: TestLedger, { generation: { id } }: Run) {
  const [row] = await ledger.rows<{ status: string; code: string | null; key_held: boolean; job: string }>(
    `select status, failure->>'code' as code, key_held,
      (select state::text from gesso_queue.job where id = g.id) as job
    from generations g where id = $1`,
    [id],
  );
  const attempts: readonly Attempt[] = (await attemptsOf(ledger.db, [id])).get(id) ?? [];
  return { ...row, attempts: attempts.map(({ outcome, errorCode }) => [outcome, errorCode]) };
}
