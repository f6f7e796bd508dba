import type { Clock } from './clock.ts';
import { createExecute, type ExecuteOptions } from './dispatcher/execute.ts';
import { startHeartbeat } from './dispatcher/heartbeat.ts';
import { createPump } from './dispatcher/pump.ts';
import { createUpdates, type WatchRequest } from './dispatcher/updates.ts';
import { createWaiters } from './dispatcher/waiters.ts';
import {
  GatewayUnavailableError,
  IdempotencyConflictError,
  InvalidInputError,
  QuotaExceededError,
} from './errors.ts';
import type { Generation } from './generation.ts';
import { attemptsOf } from './ledger/attempts.ts';
import { type Cancellation, type CancelRequest, createCancellations } from './ledger/cancellations.ts';
import { createClaims } from './ledger/claims.ts';
import { type Database, isConnectionError, orUnavailable } from './ledger/database.ts';
import { endedAmong, generationsById } from './ledger/generations.ts';
import { imagesOf } from './ledger/images.ts';
import type { Limits } from './ledger/limits.ts';
import { CHANNELS, type Notifications } from './ledger/notifications.ts';
import type { Queue } from './ledger/queue.ts';
import { endOfUtcDay } from './ledger/quota.ts';
import type { Runs } from './ledger/runs.ts';
import { createTurns } from './ledger/turns.ts';
import type { Viewer } from './ledger/viewer.ts';
import { MAX_WEBHOOKS_PER_GENERATION, type Webhooks } from './ledger/webhooks.ts';
import type { GenerationAnswer, GenerationRequest } from './middleware/middleware.ts';
import type { Router } from './routing.ts';

export interface DispatcherOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly runs: Runs;
  /** Of generations that run at once, over all replicas. */
  readonly limits: Limits | undefined;
  readonly notifications: Notifications;
  /** Undefined where nobody may be told of an end. */
  readonly webhooks: Webhooks | undefined;
  /** The names of those that are configured here. */
  readonly providers: readonly string[];
  readonly router: Router;
  readonly attemptRing: ExecuteOptions['attemptRing'];
  readonly staging: ExecuteOptions['staging'];
  readonly keeping: ExecuteOptions['keeping'];
  readonly log: ExecuteOptions['log'];
  readonly clock: Clock;
  /** Unique to this process. */
  readonly replicaId: string;
  /** Aborted when the time to drain is over: ends the calls that are under way, and waits for the database. */
  readonly cutting: AbortController;
  /** Generations at once on this replica. */
  readonly concurrency: number;
  readonly heartbeatSeconds: number;
  readonly onError: (error: unknown, context: { generationId?: string; message: string }) => void;
}

/** What asks here has asked before who may see it. */
const EVERYBODY: Viewer = { clientId: '', seesAll: true };

/** After the calls were cut, how long their outcome may take to be written, in milliseconds. */
const CUT_GRACE_MS = 3_000;

/** The durable queue between the rings: claims generations, runs those that it fetches, and lets callers wait. */
export function createDispatcher(options: DispatcherOptions) {
  const { db, queue, runs, notifications, webhooks, router, clock, cutting, replicaId, onError } = options;
  const claims = createClaims({ db, queue, now: clock.now, replicaId, webhooks });
  const cancellations = createCancellations({ db, queue, now: clock.now, webhooks });
  const draining = new AbortController();

  const waiters = createWaiters({
    async findEnded(ids) {
      const generations = await endedAmong(db, ids);
      const images = await imagesOf(
        db,
        generations.map(({ id }) => id),
      );
      return generations.map((generation) => ({ generation, image: images.get(generation.id) }));
    },
    onError: (error) => onError(error, { message: 'looking up ended generations failed' }),
  });

  const updates = createUpdates({
    async find(ids) {
      const [generations, attempts] = await Promise.all([
        generationsById(db, EVERYBODY, ids),
        attemptsOf(db, ids),
      ]);
      return generations.map((generation) => ({ generation, attempts: attempts.get(generation.id) ?? [] }));
    },
    onError: (error) => onError(error, { message: 'looking up watched generations failed' }),
  });

  const execute = createExecute({
    ...options,
    onward: router.after,
    attemptsOf: async (id) => (await attemptsOf(db, [id])).get(id) ?? [],
    signal: cutting.signal,
    handover: draining.signal,
    onEnded: waiters.settle,
    onHandedOver({ generation: { id } }) {
      // Shutting down, this replica won't hear how it ends; else it will, and may have missed it just now.
      if (draining.signal.aborted) waiters.release(id);
      else waiters.lookUp([id]);
    },
    onError: (error, run) =>
      onError(error, { generationId: run.generation.id, message: 'a generation met an error' }),
  });
  const pump = createPump({
    ...options,
    turns: createTurns(db),
    execute,
    onError: (error) => onError(error, { message: 'taking jobs failed' }),
  });
  const heartbeat = startHeartbeat({
    ...options,
    jobs: () => pump.jobs,
    onError: (error) => onError(error, { message: 'the heartbeat failed' }),
  });

  notifications.on(CHANNELS.jobs, (from) => {
    // What was put there from here has woken the pump already.
    if (from !== replicaId) pump.wake();
  });
  notifications.on(CHANNELS.changes, (id) => updates.lookUp([id]));
  notifications.on(CHANNELS.generations, (id) => {
    pump.wakeIfLimited();
    updates.lookUp([id]);
    // What ends here is told to its waiters as it ends.
    if (!pump.isRunning(id)) waiters.lookUp([id]);
  });
  notifications.on(CHANNELS.cancellations, stop);
  notifications.onLoss(heartbeat.pause);
  notifications.onResume(() => {
    pump.wake();
    waiters.lookUpAll();
    updates.lookUpAll();
    stopCanceled().catch((error: unknown) => onError(error, { message: 'looking for cancels failed' }));
  });

  /** The generation was canceled: the call that is made for it ends, if it is made here. */
  function stop(generationId: string): void {
    pump.cancel(generationId);
    waiters.lookUp([generationId]);
  }

  /** Those that were canceled while their word could not be heard. */
  async function stopCanceled(): Promise<void> {
    for (const { id, status } of await endedAmong(db, pump.runningIds())) if (status === 'CANCELED') stop(id);
  }

  /** Who asks for a generation that there is already may want to be told of its end all the same. */
  async function joinByWebhook({ id, clientId }: Generation, url: string | undefined): Promise<void> {
    if (url === undefined || webhooks === undefined) return;
    const joined = await orUnavailable(
      webhooks.join({ generationId: id, clientId, url }),
      'The ledger is away; ask again with the same idempotency key.',
    );
    if (joined === 'noted') return;
    const message = `is one too many: ${MAX_WEBHOOKS_PER_GENERATION} others are told of this generation.`;
    throw new InvalidInputError([{ path: ['input', 'webhookUrl'], message }]);
  }

  /** The generation as it is now: it has gone on while its caller waited. */
  async function look(claimed: Generation): Promise<Omit<GenerationAnswer, 'replayed'>> {
    const { id, clientId } = claimed;
    try {
      const [generation = claimed] = await generationsById(db, { clientId, seesAll: false }, [id]);
      return { generation, image: (await imagesOf(db, [id])).get(id) };
    } catch (error) {
      if (!isConnectionError(error)) throw error;
      // The ledger is away, and the generation goes on all the same: that is what the caller needs to know.
      return { generation: claimed, image: undefined };
    }
  }

  return {
    /** Innermost of the request ring: claims, and waits for as long as the caller does. */
    async dispatch(request: GenerationRequest): Promise<GenerationAnswer> {
      if (draining.signal.aborted)
        throw new GatewayUnavailableError('This replica is shutting down; ask again.');
      const [provider, ...others] = router.plan(request);
      const claiming = claims.claim({
        clientId: request.principal.clientId,
        apiKeyId: request.principal.apiKeyId,
        requestId: request.requestId,
        prompt: request.prompt,
        size: request.size,
        delivery: request.delivery,
        requestedProvider: request.provider,
        provider: provider.name,
        route: others.length === 0 ? undefined : [provider, ...others].map(({ name }) => name),
        model: provider.models[0],
        idempotencyKey: request.idempotencyKey,
        ordinal: request.ordinal,
        fingerprint: request.fingerprint,
        imagesPerDay: request.quota?.imagesPerDay,
        webhookUrl: request.webhookUrl,
      });
      const claim = await orUnavailable(
        claiming,
        'The ledger is away; ask again with the same idempotency key.',
      );
      if (claim.kind === 'quota-spent') throw new QuotaExceededError(claim.limit, endOfUtcDay(claim.day));
      const { generation } = claim;
      const replayed = claim.kind === 'held';
      if (replayed && generation.fingerprint !== request.fingerprint) {
        throw new IdempotencyConflictError(generation);
      }
      if (replayed) await joinByWebhook(generation, request.webhookUrl);
      if (replayed && generation.finishedAt !== undefined) {
        return { generation, image: claim.image, replayed };
      }
      const waiting = waiters.wait(generation.id, request.waitMs, request.signal);
      // It may have ended between the look at the row and this line, on another replica.
      if (replayed) waiters.lookUp([generation.id]);
      else pump.wake();
      const ended = await waiting;
      if (ended !== undefined) return { ...ended, replayed };
      const hasWaited = request.waitMs > 0 && request.signal?.aborted !== true;
      return { ...(hasWaited ? await look(generation) : { generation, image: undefined }), replayed };
    },

    /** Cancels a generation, wherever it waits or runs. */
    async cancel(request: CancelRequest): Promise<Cancellation> {
      const cancellation = await orUnavailable(
        cancellations.cancel(request),
        'The ledger is away; ask again to cancel.',
      );
      if (cancellation.kind === 'canceled') stop(cancellation.generation.id);
      return cancellation;
    },

    /** The generation as it is now, then every change until it ends, wherever it runs. */
    watch: (request: WatchRequest): AsyncIterableIterator<Generation> => updates.watch(request),

    start: pump.start,

    /**
     * Takes no more work, hands over what was not sent, lets what was sent finish within `drainMs`; what is left
     * then goes by its guarantee.
     */
    async drain(drainMs: number): Promise<void> {
      draining.abort();
      const timer = setTimeout(() => cutting.abort(), drainMs);
      // A database that hangs holds nobody up for longer: what it was asked for is found by the next start.
      const tooLong = new AbortController();
      const limit = clock.sleep(drainMs + CUT_GRACE_MS, tooLong.signal).catch(() => undefined);
      await Promise.race([pump.stop().then(pump.idle), limit]);
      tooLong.abort();
      clearTimeout(timer);
      waiters.releaseAll();
      await Promise.all([heartbeat.stop(), waiters.close(), updates.close(), claims.settle(), runs.settle()]);
    },
  };
}

export type Dispatcher = ReturnType<typeof createDispatcher>;
