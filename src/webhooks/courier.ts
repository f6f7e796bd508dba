import type { Clock } from '../clock.ts';
import { persist } from '../ledger/persist.ts';
import type { Delivery, WebhookJobs } from '../ledger/webhook-jobs.ts';
import type { SendWebhook } from './sender.ts';
import { cutOff, givenUp, judge, MAX_TRIES, type Verdict, type VerdictOptions } from './verdict.ts';
import { checkWebhookUrl } from './webhook-url.ts';

export interface CourierOptions {
  readonly jobs: Pick<WebhookJobs, 'take' | 'settle'>;
  readonly send: SendWebhook;
  /** Asked again before every try: what is configured now counts. */
  readonly hosts: readonly string[];
  readonly secretOf: (clientId: string) => string;
  /** The JSON of a message. */
  readonly bodyOf: (delivery: Delivery) => string;
  readonly verdicts: VerdictOptions;
  readonly clock: Clock;
  readonly onError: (error: unknown, generationId?: string) => void;
  /** Deliveries at once on this replica. @default 10 */
  readonly atOnce?: number;
  /** How often the queue is looked at when nobody wakes the courier, in milliseconds. @default 2000 */
  readonly pollMs?: number;
  /** How long what was cut off by a drain may take to be written down, in milliseconds. @default 3000 */
  readonly cutGraceMs?: number;
}

/** How many of the places one client's deliveries may have: receivers that hang are to hold up nobody else's. */
const SHARE_OF_ONE_CLIENT = 0.4;
/** How long the outcome of a try is kept for a database that is away, in milliseconds; then the job is lost and found. */
const SETTLE_PATIENCE_MS = 30_000;

/** Takes deliveries that are due, sends them, and writes down how it went. Woken by NOTIFY; polling is the floor. */
export function createCourier(options: CourierOptions) {
  const {
    jobs,
    send,
    hosts,
    secretOf,
    bodyOf,
    verdicts,
    clock,
    onError,
    atOnce = 10,
    pollMs = 2_000,
    cutGraceMs = 3_000,
  } = options;
  const perClient = Math.max(1, Math.floor(atOnce * SHARE_OF_ONE_CLIENT));
  const active = new Map<Delivery, Promise<void>>();
  const stopping = new AbortController();
  const cutting = new AbortController();
  let resting: AbortController | undefined;
  let woken = false;
  let loop: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      woken = false;
      let taken = 0;
      try {
        taken = await take();
      } catch (error) {
        onError(error);
      }
      if (taken === 0) await rest();
    }
  }

  /** No more than are free, and of no client more than its share, whoever the next jobs belong to. */
  async function take(): Promise<number> {
    const counts = new Map<string, number>();
    for (const { generation } of active.keys()) {
      counts.set(generation.clientId, (counts.get(generation.clientId) ?? 0) + 1);
    }
    const full = [...counts].filter(([, count]) => count >= perClient).map(([clientId]) => clientId);
    const most = Math.max(0, ...[...counts.values()].filter((count) => count < perClient));
    const limit = Math.min(atOnce - active.size, perClient - most);
    if (limit <= 0) return 0;
    const deliveries = await jobs.take(limit, full);
    for (const delivery of deliveries) {
      const done = deliver(delivery)
        .catch((error: unknown) => onError(error, delivery.generation.id))
        .finally(() => {
          active.delete(delivery);
          wake();
        });
      active.set(delivery, done);
    }
    return deliveries.length;
  }

  async function deliver(delivery: Delivery): Promise<void> {
    const { url, cutOffTries, generation } = delivery;
    const host = new URL(url).hostname;
    const tryNumber = delivery.tryNumber + cutOffTries;
    const lost = Array.from({ length: cutOffTries }, (_, index) => cutOff(host, delivery.tryNumber + index));
    const verdict = await attempt(delivery, host, tryNumber);
    const delaySeconds = verdict.retryAfterSeconds;
    const settlement = {
      lines: [...lost, verdict].map(({ action, message }) => ({ action, message })),
      next: delaySeconds === undefined ? undefined : { tryNumber: tryNumber + 1, delaySeconds },
    };
    await persist(() => jobs.settle(delivery, settlement), {
      signal: AbortSignal.any([cutting.signal, AbortSignal.timeout(SETTLE_PATIENCE_MS)]),
      sleep: clock.sleep,
      onRetry: (error) => onError(error, generation.id),
    });
  }

  async function attempt(delivery: Delivery, host: string, tryNumber: number): Promise<Verdict> {
    const { url, webhookId, generation } = delivery;
    const before = tryNumber - 1;
    if (before >= MAX_TRIES) return givenUp(host, 'could not be told', before);
    if ('problem' in checkWebhookUrl(url, hosts)) return givenUp(host, 'is not allowed any more', before);
    const message = { id: webhookId, body: bodyOf(delivery), secret: secretOf(generation.clientId) };
    return judge(await send(url, message, cutting.signal), { host, tryNumber }, verdicts);
  }

  function wake(): void {
    woken = true;
    resting?.abort();
  }

  async function rest(): Promise<void> {
    if (woken || stopping.signal.aborted) return;
    resting = new AbortController();
    await clock.sleep(pollMs, AbortSignal.any([resting.signal, stopping.signal])).catch(() => undefined);
    resting = undefined;
  }

  return {
    start(): void {
      loop = work();
    },
    /** There may be something to deliver. */
    wake,
    /** Takes nothing more; lets what is on its way arrive within `drainMs`, and cuts it off then: it is tried again. */
    async drain(drainMs: number): Promise<void> {
      stopping.abort();
      const settled = async (): Promise<void> => {
        await loop;
        await Promise.all(active.values());
      };
      const { promise: tooLong, resolve: giveUp } = Promise.withResolvers<void>();
      const timers = [setTimeout(() => cutting.abort(), drainMs), setTimeout(giveUp, drainMs + cutGraceMs)];
      await Promise.race([settled(), tooLong]);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

export type Courier = ReturnType<typeof createCourier>;
