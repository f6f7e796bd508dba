import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { plainPicture } from '../../src/sandbox/sandbox.ts';

/** Answers one call; `secret` is the bearer key that came with it. */
type Echo = (response: ServerResponse, secret: string) => void;

const picture = plainPicture({ width: 64, height: 64 }).toString('base64');
const json = { 'content-type': 'application/json' };
const spellings = (secret: string): string =>
  [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)].join(' ');

/** Every place of an answer in which an upstream might repeat the key that it was called with. */
export const ECHOES: Readonly<Record<string, Echo>> = {
  'error message, code, type and headers': (response, secret) => {
    response.writeHead(401, {
      ...json,
      'x-echo': `Bearer ${secret}`,
      'www-authenticate': `Bearer realm="${secret}"`,
    });
    const message = `Incorrect API key provided: ${spellings(secret)}`;
    response.end(JSON.stringify({ error: { message, code: `bad:${secret}`, type: secret, param: secret } }));
  },
  'error code alone, in base64': (response, secret) => {
    response.writeHead(400, json);
    response.end(JSON.stringify({ error: { code: Buffer.from(`Bearer ${secret}`).toString('base64') } }));
  },
  'error page of a proxy': (response, secret) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end(`<h1>Bad gateway</h1><pre>authorization: Bearer ${spellings(secret)}</pre>`);
  },
  'error that is a bare string': (response, secret) => {
    response.writeHead(422, json);
    response.end(JSON.stringify({ error: `Not with ${spellings(secret)}` }));
  },
  'reason phrase and Retry-After': (response, secret) => {
    response.writeHead(429, `Slow down ${secret}`, { ...json, 'retry-after': secret });
    response.end(JSON.stringify({ error: { message: spellings(secret) } }));
  },
  redirect: (response, secret) => {
    response.writeHead(307, { location: `/elsewhere?key=${encodeURIComponent(secret)}` });
    response.end();
  },
  'malformed HTTP': ({ socket }, secret) => {
    socket?.end(`HTTP/1.1 200 OK\r\nbroken header ${spellings(secret)}\r\n\r\n`);
  },
  'cut JSON': (response, secret) => {
    response.writeHead(200, json);
    response.end(`{"data":[{"revised_prompt":"${spellings(secret)}","b64_json":"`);
  },
  'answer without a picture': (response, secret) => {
    response.writeHead(200, json);
    response.end(JSON.stringify({ data: [{ url: `https://example.invalid/?${spellings(secret)}` }] }));
  },
  'picture that is none': (response, secret) => {
    response.writeHead(200, { ...json, 'x-echo': secret });
    const nothing = Buffer.from('no picture').toString('base64');
    response.end(JSON.stringify({ data: [{ b64_json: nothing, revised_prompt: spellings(secret) }] }));
  },
  'revised prompt and unknown fields': (response, secret) => {
    response.writeHead(200, { ...json, 'x-echo': secret });
    const data = [{ revised_prompt: `A boat, ${spellings(secret)}`, b64_json: picture, note: secret }];
    response.end(JSON.stringify({ key: secret, data, usage: { [secret]: spellings(secret) } }));
  },
};

/** An upstream that repeats the API key: where, is said by the prompt, which names one of `ECHOES`. */
export async function startEchoingUpstream() {
  let calls = 0;
  const server = createServer(async (incoming, response) => {
    calls += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { prompt } = JSON.parse(Buffer.concat(chunks).toString()) as { prompt: string };
    const secret = incoming.headers.authorization?.slice('Bearer '.length) ?? '';
    ECHOES[prompt]?.(response, secret);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    get calls() {
      return calls;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export type EchoingUpstream = Awaited<ReturnType<typeof startEchoingUpstream>>;
