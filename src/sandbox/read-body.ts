import type { IncomingMessage } from 'node:http';

/**
 * Reads a request's body to its end, and keeps at most `maxBytes` + 1 of it, which tells that it was larger.
 * Resolves with `complete: false` when the client left before its end.
 */
export function readBody(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<{ body: Buffer; complete: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ body: Buffer; complete: boolean }>();
  const chunks: Buffer[] = [];
  let kept = 0;
  incoming.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, maxBytes + 1 - kept);
    if (part.byteLength === 0) return;
    kept += part.byteLength;
    chunks.push(part);
  });
  const done = (complete: boolean): void => resolve({ body: Buffer.concat(chunks), complete });
  incoming.on('end', () => done(true));
  // A client that resets its connection makes an error and then `close`; both only mean that it left.
  incoming.on('error', () => done(false));
  incoming.on('close', () => done(false));
  return promise;
}
