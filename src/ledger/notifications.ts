import pg from 'pg';

/** What the ledger tells over NOTIFY. A payload is one id, far below PostgreSQL's limit of 8,000 bytes. */
export const CHANNELS = {
  /** A job is in the queue; the replica that put it there. */
  jobs: 'gesso_jobs',
  /** A generation went on: it runs, or an attempt began or ended; its id. */
  changes: 'gesso_changes',
  /** A generation ended; its id. */
  generations: 'gesso_generations',
  /** A generation was canceled, and whoever runs it should stop; its id. */
  cancellations: 'gesso_cancellations',
  /** A webhook is to be delivered. */
  webhooks: 'gesso_webhooks',
  /** An API key was revoked; its public id. */
  keys: 'gesso_keys',
} as const;
export type Channel = (typeof CHANNELS)[keyof typeof CHANNELS];

export interface NotificationsOptions {
  readonly connection: pg.ClientConfig;
  readonly onError: (error: unknown) => void;
  /** Wait before a lost connection is tried again, in milliseconds. @default 500 */
  readonly reconnectDelayMs?: number;
}

type Listener = (payload: string) => void;

/**
 * One dedicated connection that LISTENs, and comes back by itself. What was told while it was away is lost:
 * `onResume` is the moment to look for oneself.
 */
export async function openNotifications(options: NotificationsOptions) {
  const { connection, onError, reconnectDelayMs = 500 } = options;
  const listeners = new Map<string, Set<Listener>>();
  const resumeListeners = new Set<() => void>();
  const lossListeners = new Set<() => void>();
  let client: pg.Client | undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const candidate = new pg.Client({
      application_name: 'gesso-listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      ...connection,
    });
    const lose = (error?: Error): void => {
      // While it connects, what ends it is thrown below; after `close`, nothing is lost.
      if (client !== candidate) return;
      client = undefined;
      for (const listener of lossListeners) listener();
      if (error !== undefined) onError(error);
      candidate.end().catch(onError);
      timer = setTimeout(() => void reconnect(), reconnectDelayMs);
    };
    candidate.on('error', lose);
    candidate.on('end', () => lose());
    candidate.on('notification', ({ channel, payload }) => {
      for (const listener of listeners.get(channel) ?? []) listener(payload ?? '');
    });
    try {
      await candidate.connect();
      for (const channel of Object.values(CHANNELS)) await candidate.query(`listen ${channel}`);
    } catch (error) {
      await candidate.end().catch(onError);
      throw error;
    }
    if (closed) await candidate.end();
    else client = candidate;
  }

  async function reconnect(): Promise<void> {
    if (closed) return;
    try {
      await connect();
      for (const listener of resumeListeners) listener();
    } catch (error) {
      onError(error);
      if (!closed) timer = setTimeout(() => void reconnect(), reconnectDelayMs);
    }
  }

  await connect();

  return {
    /** False while the connection is away, and what is cached on its word can't be trusted. */
    get listening(): boolean {
      return client !== undefined;
    },
    on(channel: Channel, listener: Listener): void {
      const set = listeners.get(channel) ?? new Set();
      set.add(listener);
      listeners.set(channel, set);
    },
    onResume(listener: () => void): void {
      resumeListeners.add(listener);
    },
    onLoss(listener: () => void): void {
      lossListeners.add(listener);
    },
    async close(): Promise<void> {
      closed = true;
      clearTimeout(timer);
      const open = client;
      client = undefined;
      await open?.end();
    },
  };
}

export type Notifications = Awaited<ReturnType<typeof openNotifications>>;
