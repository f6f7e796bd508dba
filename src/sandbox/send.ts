import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import { type Body, firstOf } from './body.ts';

/** A body up to this size leaves in one write, as it would from a real server. */
const ONE_WRITE_BYTES = 64 * 1024;

/** How long a connection outlives its last bytes: a reset throws away what the kernel has not sent yet. */
const LINGER_MS = 30;

/** How the sandbox ends a connection in a bad way: by RST, by FIN, or never. */
export type BreakOff = 'reset' | 'close' | 'hang';

/**
 * Sends an answer, no faster than the client reads. One with `stopAfterBytes` is left open behind them.
 *
 * @throws {Error} an `AbortError` once `signal` has fired: the connection is gone.
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  signal: AbortSignal,
): Promise<void> {
  const { body, stopAfterBytes, pace, framing = 'content-length' } = answer;
  signal.throwIfAborted();
  const length = framing === 'content-length' ? { 'content-length': body.byteSize } : {};
  response.writeHead(answer.status, { ...length, ...answer.headers });
  if (stopAfterBytes !== undefined) {
    await writeBody(response, firstOf(body, stopAfterBytes), pace, signal);
    await delay(LINGER_MS, undefined, { signal });
    return;
  }
  if (pace === undefined && body.byteSize <= ONE_WRITE_BYTES) {
    response.end(Buffer.concat([...body.chunks()]));
  } else {
    await writeBody(response, body, pace, signal);
    response.end();
  }
  await once(response, 'finish', { signal });
}

/** As `sendAnswer`, but a client that leaves meanwhile is no error: the journal tells of it. */
export async function sendIfThere(
  response: ServerResponse,
  answer: Answer,
  signal: AbortSignal,
): Promise<void> {
  try {
    await sendAnswer(response, answer, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Resolves when the connection is gone; with `hang`, that is when the client leaves. */
export async function breakConnection(
  response: ServerResponse,
  how: BreakOff,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const gone = once(signal, 'abort');
  if (how === 'reset') response.socket?.resetAndDestroy();
  if (how === 'close') response.socket?.destroySoon();
  await gone;
}

async function writeBody(
  response: ServerResponse,
  body: Body,
  pace: Answer['pace'],
  signal: AbortSignal,
): Promise<void> {
  response.flushHeaders();
  for (const piece of pace === undefined ? body.chunks() : pieces(body, pace.bytes)) {
    if (pace !== undefined) await delay(pace.everyMs, undefined, { signal });
    signal.throwIfAborted();
    if (!response.write(piece)) await once(response, 'drain', { signal });
  }
}

/** The body again, in pieces of at most `bytes` bytes. */
function* pieces(body: Body, bytes: number): Generator<Uint8Array> {
  for (const chunk of body.chunks()) {
    for (let offset = 0; offset < chunk.byteLength; offset += bytes) {
      yield chunk.subarray(offset, offset + bytes);
    }
  }
}
