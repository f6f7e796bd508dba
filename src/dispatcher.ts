import type { Clock } from './clock.ts';
import { createExecute, type ExecuteOptions } from './dispatcher/execute.ts';
import { startHeartbeat } from './dispatcher/heartbeat.ts';
import { createPump } from './dispatcher/pump.ts';
import { createWaiters } from './dispatcher/waiters.ts';
import {
  GatewayUnavailableError,
  IdempotencyConflictError,
  InvalidInputError,
  QuotaExceededError,
} from './errors.ts';
import type { Generation } from './generation.ts';
import { attemptsOf } from './ledger/attempts.ts';
import { createClaims } from './ledger/claims.ts';
import { type Database, isConnectionError, orUnavailable } from './ledger/database.ts';
import { endedAmong, generationsById } from './ledger/generations.ts';
import { imagesOf } from './ledger/images.ts';
import { CHANNELS, type Notifications } from './ledger/notifications.ts';
import type { Queue } from './ledger/queue.ts';
import { endOfUtcDay } from './ledger/quota.ts';
import type { Runs } from './ledger/runs.ts';
import type { GenerationAnswer, GenerationRequest } from './middleware/middleware.ts';
import type { Provider } from './providers/provider.ts';

export interface DispatcherOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly runs: Runs;
  readonly notifications: Notifications;
  readonly providers: ReadonlyMap<string, Provider>;
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

/** After the calls were cut, how long their outcome may take to be written, in milliseconds. */
const CUT_GRACE_MS = 3_000;

/** The durable queue between the rings: claims generations, runs those that it fetches, and lets callers wait. */
export function createDispatcher(options: DispatcherOptions) {
  const { db, queue, runs, notifications, providers, clock, cutting, replicaId, onError } = options;
  const claims = createClaims({ db, queue, now: clock.now, replicaId });
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

  const execute = createExecute({
    ...options,
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
  notifications.on(CHANNELS.generations, (id) => {
    // What ends here is told to its waiters as it ends.
    if (!pump.isRunning(id)) waiters.lookUp([id]);
  });
  notifications.onLoss(heartbeat.pause);
  notifications.onResume(() => {
    pump.wake();
    waiters.lookUpAll();
  });

  function choose(request: GenerationRequest): Provider {
    const { provider: name, size } = request;
    const provider = name === undefined ? providers.values().next().value : providers.get(name);
    if (provider === undefined) {
      const message = `is none of the configured providers: ${[...providers.keys()].join(', ')}.`;
      throw new InvalidInputError([{ path: ['input', 'provider'], message }]);
    }
    if (!provider.sizes.includes(size)) {
      const message = `${size} is not offered by ${provider.name}.`;
      throw new InvalidInputError([{ path: ['input', 'size'], message }]);
    }
    return provider;
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
      const provider = choose(request);
      const claiming = claims.claim({
        clientId: request.principal.clientId,
        apiKeyId: request.principal.apiKeyId,
        requestId: request.requestId,
        prompt: request.prompt,
        size: request.size,
        delivery: request.delivery,
        requestedProvider: request.provider,
        provider: provider.name,
        model: provider.models[0],
        idempotencyKey: request.idempotencyKey,
        ordinal: request.ordinal,
        fingerprint: request.fingerprint,
        imagesPerDay: request.quota?.imagesPerDay,
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
      await Promise.all([heartbeat.stop(), waiters.close(), claims.settle(), runs.settle()]);
    },
  };
}

export type Dispatcher = ReturnType<typeof createDispatcher>;
