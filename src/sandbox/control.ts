import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { BehaviourQueue } from './behaviour-queue.ts';
import { behaviourSchema } from './behaviours.ts';
import { textBody } from './body.ts';
import type { Journal } from './journal.ts';
import { readBody } from './read-body.ts';
import { sendIfThere } from './send.ts';
import { parseJson } from './validate.ts';

/** Every path of the control surface begins so. */
export const CONTROL_PREFIX = '/sandbox/';

/** Room for a list of behaviours with pictures in base64. */
const MAX_CONTROL_BYTES = 32 * 1024 * 1024;

const queueSchema = z.array(behaviourSchema);
/** `null` goes back to normal. */
const alwaysSchema = z.strictObject({ always: behaviourSchema.nullable() });

interface Reply {
  readonly status: number;
  readonly json: unknown;
}

/**
 * Drives the sandbox from another process:
 * - `GET /sandbox/journal`: `{ open, peakOpen, dropped, entries }`, dates in ISO 8601, bodies as text;
 * - `DELETE /sandbox/journal`: forgets the entries;
 * - `POST /sandbox/behaviours`: a JSON array to queue, or `{ "always": behaviour | null }`.
 *
 * It has no key of its own: the sandbox belongs on loopback.
 */
export function createControlHandler({
  journal,
  queue,
}: {
  journal: Journal;
  queue: BehaviourQueue;
}): (incoming: IncomingMessage, response: ServerResponse) => Promise<void> {
  const routes: Readonly<Record<string, (incoming: IncomingMessage) => Reply | Promise<Reply>>> = {
    'GET /sandbox/journal': () => ({ status: 200, json: journalAsJson(journal) }),
    'DELETE /sandbox/journal': () => {
      journal.clear();
      return { status: 200, json: { cleared: true } };
    },
    'POST /sandbox/behaviours': (incoming) => takeOrders(incoming, queue),
  };

  return async function control(incoming, response) {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const route = routes[`${incoming.method} ${incoming.url}`];
    const reply = (await route?.(incoming)) ?? {
      status: 404,
      json: { error: `Known are ${Object.keys(routes).join(', ')}.` },
    };
    const body = textBody(JSON.stringify(reply.json));
    const headers = { 'content-type': 'application/json' };
    await sendIfThere(response, { status: reply.status, headers, body }, gone.signal);
  };
}

async function takeOrders(incoming: IncomingMessage, queue: BehaviourQueue): Promise<Reply> {
  // A web page can post a form to loopback, but not JSON without being asked: so nothing else is taken.
  if (!/^application\/json\s*(;|$)/i.test(incoming.headers['content-type'] ?? '')) {
    return { status: 415, json: { error: 'The body must be sent as application/json.' } };
  }
  const { body, complete } = await readBody(incoming, MAX_CONTROL_BYTES);
  if (!complete || body.byteLength > MAX_CONTROL_BYTES) {
    return {
      status: 413,
      json: { error: `The body is larger than ${MAX_CONTROL_BYTES} bytes, or was cut.` },
    };
  }
  const orders = parseJson(body);
  if (Array.isArray(orders)) {
    const queued = queueSchema.safeParse(orders);
    if (!queued.success) return malformed(queued.error);
    queue.push(...queued.data);
    return { status: 200, json: { queued: queued.data.length } };
  }
  const standing = alwaysSchema.safeParse(orders);
  if (!standing.success) return malformed(standing.error);
  queue.always(standing.data.always ?? undefined);
  return { status: 200, json: { always: standing.data.always?.kind ?? null } };
}

const malformed = (error: z.ZodError): Reply => ({ status: 400, json: { error: z.prettifyError(error) } });

const journalAsJson = (journal: Journal): unknown => ({
  open: journal.open,
  peakOpen: journal.peakOpen,
  dropped: journal.dropped,
  entries: journal.entries.map(({ json: _parsed, body, error, ...entry }) => ({
    ...entry,
    body: body.toString(),
    ...(error === undefined ? {} : { error: String(error) }),
  })),
});
