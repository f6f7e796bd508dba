import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { plainPicture } from '../../src/sandbox/plain-picture.ts';
import { watchStalls } from './stalls.ts';

/**
 * An upstream for thousands of calls at once, a process of its own: one answer, encoded before, so that it takes as
 * little as it can of a processor that it shares with what is measured. Arguments: side of the picture in pixels.
 *
 * A message sets how long it takes for the calls that come from then on; the answer tells what was since the last one.
 */
export interface UpstreamOrder {
  readonly latencyMs: number;
}
export interface UpstreamFigures {
  /** The most calls that were open at once. */
  readonly peakOpen: number;
  readonly longestStallMs: number;
}

/** How many connections may wait to be accepted. */
const BACKLOG = 4096;
const KEEP_ALIVE_MS = 120_000;

const side = Number(process.argv[2]);
const picture = plainPicture({ width: side, height: side, noise: side > 64 });
const answer = Buffer.from(
  JSON.stringify({ created: 0, data: [{ b64_json: picture.toString('base64'), revised_prompt: 'bench' }] }),
);
const longestStallMs = watchStalls();
let latencyMs = 0;
let open = 0;
let peakOpen = 0;

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, response) => {
  open += 1;
  peakOpen = Math.max(peakOpen, open);
  response.once('close', () => {
    open -= 1;
  });
  incoming.resume();
  setTimeout(() => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  }, latencyMs);
});

process.on('message', (order: UpstreamOrder) => {
  latencyMs = order.latencyMs;
  process.send?.({ peakOpen, longestStallMs: longestStallMs() } satisfies UpstreamFigures);
  peakOpen = open;
});
process.once('disconnect', () => process.exit(1));
server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ url: `http://127.0.0.1:${port}/v1`, byteSize: picture.length });
});
