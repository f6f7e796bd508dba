import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { answerStalls } from './stalls.ts';

/**
 * The baseline: node:http in, undici `dispatch` out, bytes passed through untouched. It records nothing, checks
 * nothing and survives nothing; it is the limit of what a proxy in Node can do. Answers each message with its longest
 * stall since the last one.
 */
const upstream = new URL(process.argv[2] ?? '');
const pool = new Pool(upstream.origin, {
  connections: 4096,
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
});

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    pool.dispatch(
      {
        path: `${upstream.pathname}/images/generations`,
        method: 'POST',
        headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
        body: Buffer.concat(chunks),
      },
      {
        onRequestStart: () => {},
        onResponseStart: (controller, status, headers) => {
          response.writeHead(status, headers as Record<string, string>);
          response.on('drain', () => controller.resume());
        },
        onResponseData: (controller, chunk) => {
          if (!response.write(chunk)) controller.pause();
        },
        onResponseEnd: () => response.end(),
        onResponseError: (_controller, error) => response.destroy(error),
      },
    );
  });
});
answerStalls();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
