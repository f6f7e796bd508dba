import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BehaviourQueue, createBehaviourQueue, type StandingRule } from './behaviour-queue.ts';
import type { Behaviour } from './behaviours.ts';
import { CONTROL_PREFIX, createControlHandler } from './control.ts';
import { createGenerationsHandler } from './generations.ts';
import { createJournal, type Journal } from './journal.ts';
import { type PictureOption, pictureSource } from './pictures.ts';

export type { StandingRule } from './behaviour-queue.ts';
export type { Behaviour } from './behaviours.ts';
export type { Journal, JournalEntry, JournalFilter, WaitOptions } from './journal.ts';
export type { PictureOption } from './pictures.ts';
export { type PlainPictureOptions, plainPicture } from './plain-picture.ts';
export type { SandboxRequest } from './request.ts';

export interface SandboxOptions {
  /** 0 for any free one. @default 0 */
  readonly port?: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** The only bearer key that is accepted. @default any that is not empty */
  readonly apiKey?: string | undefined;
  /** How long making a picture takes, in milliseconds: the wait between billing and headers. @default 0 */
  readonly latencyMs?: number;
  /** @default 'drawn' */
  readonly pictures?: PictureOption;
  /** How many requests the journal remembers before the oldest go, counted in `journal.dropped`. @default 100000 */
  readonly journalEntries?: number;
}

/** An upstream over real HTTP that speaks BetterToken's wire format, keeps a journal, and misbehaves on demand. */
export interface Sandbox {
  /** For instance `http://127.0.0.1:4567/v1`. */
  readonly baseUrl: string;
  readonly journal: Journal;
  /**
   * Queues behaviours: each valid request takes the next one. Refused requests take none.
   * @throws {ZodError} when one is malformed.
   */
  behave(...behaviours: Behaviour[]): void;
  /** What is done whenever the queue is empty; undefined goes back to normal. A rule that throws makes a 500. */
  behaveAlways(rule: StandingRule | undefined): void;
  /** Stops listening and destroys the open sockets. */
  close(): Promise<void>;
}

/** How many connections may wait to be accepted: a test may open thousands at once. */
const BACKLOG = 4096;

/** @throws {Error} with the code of the system (`EADDRINUSE`) when it can't listen. */
export async function startSandbox({
  port = 0,
  host = '127.0.0.1',
  apiKey,
  latencyMs = 0,
  pictures = 'drawn',
  journalEntries = 100_000,
}: SandboxOptions = {}): Promise<Sandbox> {
  const writer = createJournal(journalEntries);
  const queue: BehaviourQueue = createBehaviourQueue();
  const closing = new AbortController();
  const control = createControlHandler({ journal: writer.journal, queue });
  const generations = createGenerationsHandler({
    apiKey,
    latencyMs,
    pictures: pictureSource(pictures),
    queue,
    writer,
    closing: closing.signal,
  });
  // A connection kept alive outlives any pause in a test: one that ends by itself would look like a fault.
  const server = createServer({ keepAliveTimeout: 120_000 }, (incoming, response) => {
    const handle = incoming.url?.startsWith(CONTROL_PREFIX) ? control : generations;
    void handle(incoming, response);
  });
  await listen(server, port, host);
  return {
    baseUrl: `http://${authority(server)}/v1`,
    journal: writer.journal,
    behave: (...behaviours) => queue.push(...behaviours),
    behaveAlways: (rule) => queue.always(rule),
    close: async () => {
      if (closing.signal.aborted) return;
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ port, host, backlog: BACKLOG });
  await listening;
}

function authority(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
