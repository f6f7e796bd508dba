import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { type Dispatcher, Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, InvalidPictureError, ProviderFailure } from '../../src/errors.ts';
import { createBetterToken } from '../../src/providers/bettertoken.ts';
import type { AnswerLimits } from '../../src/providers/openai-wire/answer.ts';
import type { Provider } from '../../src/providers/provider.ts';
import {
  answering,
  errorAnswer,
  failureOf,
  imageAnswer,
  type Respond,
  readAll,
  startUpstream,
  type Upstream,
} from '../../src/testing/upstream.ts';

const API_KEY = 'sk-test-0123456789abcdef';
const PICTURE = randomBytes(300_000);
const NOW = Date.UTC(2025, 0, 1);

let upstream: Upstream;
let toClose: Provider[] = [];

beforeEach(async () => {
  upstream = await startUpstream(answering(imageAnswer(PICTURE)));
});
afterEach(async () => {
  vi.useRealTimers();
  for (const provider of toClose) await provider.close();
  toClose = [];
  await upstream.close();
});

const create = (
  options: {
    baseUrl?: string;
    dispatcher?: Dispatcher;
    limits?: Partial<AnswerLimits>;
    deadlineMs?: number;
  } = {},
) => {
  const provider = createBetterToken({
    apiKey: API_KEY,
    baseUrl: `${upstream.url}/v1`,
    connections: 2,
    deadlineMs: 600_000,
    now: () => NOW,
    ...options,
  });
  toClose.push(provider);
  return provider;
};
const call = (provider = create(), prompt = 'a gesso ground', signal = new AbortController().signal) =>
  provider.generate({ prompt, size: '1024x1024' }, { signal, requestId: 'request-1' });
const generate = async (provider = create()) => readAll((await call(provider)).picture);
const failure = async (promise: Promise<unknown>) => {
  const error = await failureOf(promise);
  if (!(error instanceof ProviderFailure)) expect.fail(`It failed with ${inspect(error)}.`);
  return error;
};
const body = (text: string | Buffer): Respond =>
  answering({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) });

describe('openai-wire: the request', () => {
  const prompts: Record<string, string> = {
    "the vendor's sample": '一张未来感 AI 产品海报,浅色背景,玻璃质感,干净构图,高级科技感',
    'emoji, joined and coloured': '👩🏽‍🚀🏳️‍🌈 in 🌌',
    'right to left': 'قطة ترتدي قبعة — חתול עם כובע',
    'combining marks, not normalised': 'e\u0301 \u00e9 Z\u0351\u036b',
    'quotes, backslashes and line breaks': '"a"\\n\r\n\t\u0000\u2028',
    '32,000 characters': '漆'.repeat(32_000),
  };
  it.each(Object.entries(prompts))('carries the prompt byte for byte: %s', async (_name, prompt) => {
    await readAll((await call(create(), prompt)).picture);
    const sent = upstream.requests[0]?.body ?? Buffer.alloc(0);
    expect(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(sent)).prompt).toBe(prompt);
  });

  it('sends the sample as UTF-8, not as escapes', async () => {
    await readAll((await call(create(), '一张')).picture);
    expect(upstream.requests[0]?.body.includes(Buffer.from('"prompt":"一张"'))).toBe(true);
  });

  it.each([
    ['', '/images/generations'],
    ['/', '/images/generations'],
    ['/v1', '/v1/images/generations'],
    ['/v1/', '/v1/images/generations'],
    ['/proxy/bettertoken/v1//', '/proxy/bettertoken/v1/images/generations'],
  ])('goes below the base URL %j', async (path, expected) => {
    await generate(create({ baseUrl: upstream.url + path }));
    expect(upstream.requests[0]?.path).toBe(expected);
  });

  it.each([
    'bettertoken.ai',
    'ftp://bettertoken.ai/v1',
    'https://user:hunter2@bettertoken.ai/v1',
    'https://bettertoken.ai/v1?key=hunter2',
    'https://bettertoken.ai/v1#hunter2',
  ])('refuses the base URL %s, without quoting it', (baseUrl) => {
    const refuse = () => createBetterToken({ apiKey: API_KEY, baseUrl, connections: 1, deadlineMs: 1 });
    expect(refuse).toThrow(ConfigError);
    expect(refuse).not.toThrow(/hunter2/);
  });

  it.each(['', 'two words', 'line\nbreak', 'schlüssel'])('refuses the API key %j', (apiKey) => {
    const refuse = () => createBetterToken({ apiKey, connections: 1, deadlineMs: 1 });
    expect(refuse).toThrow(ConfigError);
  });

  it('uses sockets again for the calls that follow', async () => {
    const provider = create();
    const ports = new Set<number | undefined>();
    upstream.answerWith((request, response) => {
      ports.add(response.socket?.remotePort);
      return answering(imageAnswer(PICTURE))(request, response);
    });
    for (let round = 0; round < 6; round += 1) await generate(provider);
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('loses no call to a kept socket that the peer has closed', async () => {
    const provider = create();
    upstream.answerWith((request, response) => {
      const { socket } = response;
      response.on('finish', () => socket?.destroy());
      return answering(imageAnswer(PICTURE))(request, response);
    });
    for (let round = 0; round < 20; round += 1) {
      expect(await generate(provider)).toEqual(PICTURE);
      await upstream.requests.at(-1)?.closed;
    }
  });
});

describe('openai-wire: not sent', () => {
  it('a name that does not resolve', async () => {
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), { code: 'ENOTFOUND' });
    const dispatcher = new Pool('http://nowhere.test', {
      connect: { lookup: (_name, _options, callback) => callback(notFound, '', 4) },
    });
    const provider = create({ baseUrl: 'http://nowhere.test/v1', dispatcher });
    expect(await failure(call(provider))).toMatchObject({
      outcome: 'NOT_ACCEPTED',
      providerCode: 'ENOTFOUND',
    });
    await dispatcher.close();
  });

  it('a peer that does not speak TLS', async () => {
    const provider = create({ baseUrl: upstream.url.replace('http:', 'https:') });
    expect(await failure(call(provider))).toMatchObject({ outcome: 'NOT_ACCEPTED' });
    expect(upstream.requests).toHaveLength(0);
  });

  it('a connection that is reset during the TLS handshake: the same code as after the send', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const provider = create({ baseUrl: `https://127.0.0.1:${port}/v1` });
    expect(await failure(call(provider))).toMatchObject({
      outcome: 'NOT_ACCEPTED',
      providerCode: 'ECONNRESET',
    });
    server.close();
  });

  it('an abort while the connection is being made', async () => {
    let connecting = () => {};
    const connected = new Promise<void>((resolve) => {
      connecting = resolve;
    });
    const dispatcher = new Pool('http://slow.test', {
      connect: {
        lookup: () => {
          connecting();
        },
      },
    });
    const controller = new AbortController();
    const provider = create({ baseUrl: 'http://slow.test/v1', dispatcher });
    const aborted = failure(call(provider, 'x', controller.signal));
    await connected;
    controller.abort(new Error('the deadline'));
    const { outcome, providerCode, cause } = await aborted;
    expect({ outcome, providerCode }).toEqual({ outcome: 'NOT_ACCEPTED', providerCode: 'ABORTED' });
    expect(cause).toBe(controller.signal.reason);
    await dispatcher.destroy();
  });
});

describe('openai-wire: a successful answer', () => {
  it('brings the revised prompt, without the key in it', async () => {
    upstream.answerWith(answering(imageAnswer(PICTURE, { revised_prompt: `画 a\u0000b ${API_KEY}` })));
    const answer = await call();
    await readAll(answer.picture);
    expect(answer.metadata()).toEqual({ revisedPrompt: '画 ab [redacted]' });
  });

  it('takes the first picture of two, past fields that look like it', async () => {
    upstream.answerWith(
      body(
        JSON.stringify({
          nested: { b64_json: null },
          data: [
            { revised_prompt: '"b64_json":"AAAA"', b64_json: PICTURE.toString('base64') },
            { b64_json: randomBytes(3_000_000).toString('base64') },
          ],
        }),
      ),
    );
    expect(await generate()).toEqual(PICTURE);
  });

  it.each([
    ['small, and its reader comes late', 40_000, 60],
    ['large, and its reader is there', 2_000_000, 0],
  ])('is whole when the connection is reset after the document: %s', async (_name, byteSize, delayMs) => {
    const large = randomBytes(byteSize);
    const answer = imageAnswer(large);
    upstream.answerWith((_request, response) => {
      response.writeHead(200, answer.headers);
      // Chunked, and never ended.
      response.write(answer.body, () => setTimeout(() => response.socket?.resetAndDestroy(), 30));
    });
    const { picture } = await call();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    expect((await readAll(picture)).equals(large)).toBe(true);
  });

  it('is whole though its body never ends, and the socket is not kept for it', async () => {
    const answer = imageAnswer(PICTURE);
    upstream.answerWith((_request, response) => {
      response.writeHead(200, answer.headers);
      response.write(answer.body);
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
    });
    expect(await generate()).toEqual(PICTURE);
    await upstream.requests[0]?.closed;
  });

  it.each([
    ['cut within the document', '{"data":[{"b64_json":"AAAA"', 'BODY_CUT'],
    ['not JSON', '<!doctype html><h1>Welcome</h1>', 'BODY_MALFORMED'],
    ['malformed after the picture', '{"data":[{"b64_json":"AAAA"}],}', 'BODY_MALFORMED'],
    ['not base64', '{"data":[{"b64_json":"AA*A"}]}', 'BASE64_INVALID'],
    ['empty', '', 'BODY_CUT'],
  ])('that is %s is UNKNOWN', async (_name, text, providerCode) => {
    upstream.answerWith(body(text));
    expect(await failure(generate())).toMatchObject({ outcome: 'UNKNOWN', providerCode, httpStatus: 200 });
  });

  it.each([
    '{"data":[]}',
    '{"data":[{"b64_json":null}]}',
    '{"data":[{"b64_json":7}]}',
    '{"data":[{"url":"x"}]}',
  ])('without a picture is an InvalidPictureError: %s', async (text) => {
    upstream.answerWith(body(text));
    const error = await failureOf(generate());
    expect(error).toBeInstanceOf(InvalidPictureError);
    expect(error).toMatchObject({ httpStatus: 200 });
  });

  it('that is compressed is refused unread', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    upstream.answerWith(answering({ status: 200, headers: { 'content-encoding': 'gzip' }, body: bomb }));
    expect(await failure(call())).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'CONTENT_ENCODING' });
  });

  it('may say that it is not compressed', async () => {
    const answer = imageAnswer(PICTURE);
    upstream.answerWith(
      answering({ ...answer, headers: { ...answer.headers, 'content-encoding': 'identity' } }),
    );
    expect(await generate()).toEqual(PICTURE);
  });

  describe('without end', () => {
    /** Writes a part again and again until the connection is closed; tells how much was taken. */
    const endless = (start: string, part: string) => {
      const taken = { bytes: 0 };
      upstream.answerWith((_request, response) => {
        response.writeHead(200).write(start);
        const bytes = Buffer.from(part.repeat(65_536 / part.length));
        const pump = () => {
          if (response.destroyed) return;
          taken.bytes += bytes.length;
          if (response.write(bytes)) setImmediate(pump);
          else response.once('drain', pump);
        };
        pump();
      });
      return taken;
    };

    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const heldBytes = () => {
      collectGarbage();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const discard = async (picture: AsyncIterable<Uint8Array>) => {
      for await (const block of picture) expect(block.length).toBeGreaterThan(0);
    };

    it.each([
      ['a picture', '{"data":[{"b64_json":"', 'AAAA'],
      ['a second picture', '{"data":[{"b64_json":"AAAA"},{"b64_json":"', 'AAAA'],
      ['white space', '', ' '],
      ['text', '{"revised_prompt":"', 'x'],
      ['brackets', '{"a":', '['],
    ])('is cut at a limit, in flat memory: %s', async (_name, start, part) => {
      const provider = create({
        limits: { maxBodyBytes: 64 * 1024 * 1024, maxPictureBytes: 32 * 1024 * 1024 },
      });
      const taken = endless(start, part);
      const { picture } = await call(provider);
      const before = heldBytes();
      let peak = 0;
      const sampler = setInterval(() => {
        peak = Math.max(peak, heldBytes() - before);
      }, 20);
      const error = await failureOf(discard(picture));
      clearInterval(sampler);
      expect(error).toBeInstanceOf(InvalidPictureError);
      expect(peak).toBeLessThan(16 * 1024 * 1024);
      await upstream.requests[0]?.closed;
      expect(taken.bytes).toBeLessThan(96 * 1024 * 1024);
    });
  });
});

describe('openai-wire: an error answer', () => {
  it.each([
    [400, { code: 'content_policy_violation' }],
    [400, { code: 'moderation_blocked', type: 'image_generation_user_error' }],
    [403, { type: 'content_filter' }],
    [422, { code: 'content_filter' }],
    [429, { code: 'content_policy_violation' }],
  ])('with status %i and %j is about the content', async (status, error) => {
    upstream.answerWith(answering(errorAnswer(status, { message: 'No.', ...error })));
    expect(await failure(call())).toMatchObject({ outcome: 'REJECTED', rejection: 'CONTENT_POLICY' });
  });

  it.each([
    [402, 'OPERATOR'],
    [405, 'OPERATOR'],
    [413, 'REQUEST'],
    [418, 'OPERATOR'],
  ])('with status %i is REJECTED (%s)', async (status, rejection) => {
    upstream.answerWith(answering(errorAnswer(status)));
    expect(await failure(call())).toMatchObject({ outcome: 'REJECTED', rejection });
  });

  it('with a content code but status 500 is UNKNOWN', async () => {
    upstream.answerWith(answering(errorAnswer(500, { code: 'content_filter' })));
    expect(await failure(call())).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'content_filter' });
  });

  it.each([
    [429, '7', 7_000],
    [503, new Date(NOW + 20_000).toUTCString(), 20_000],
    [500, '1', 1_000],
    [429, 'soon', undefined],
  ])('with status %i and Retry-After %s', async (status, header, retryAfterMs) => {
    const answer = errorAnswer(status);
    upstream.answerWith(answering({ ...answer, headers: { ...answer.headers, 'retry-after': header } }));
    expect(await failure(call())).toMatchObject({ httpStatus: status, retryAfterMs });
  });

  it.each([
    [
      '{"error":{"message":"Too\\nmany","code":"rate_limit","type":"t"}}',
      'bettertoken: status 429: Too many (rate_limit)',
      'rate_limit',
    ],
    ['{"error":{"message":"m","code":1305}}', 'bettertoken: status 429: m (1305)', '1305'],
    ['{"error":"plain"}', 'bettertoken: status 429: plain', undefined],
    ['{"message":"bare","code":"c"}', 'bettertoken: status 429: bare (c)', 'c'],
    ['{"error":{"message":{"a":1},"code":null}}', 'bettertoken: status 429', undefined],
    ['<h1>Too many</h1>', 'bettertoken: status 429', undefined],
    ['', 'bettertoken: status 429', undefined],
    ['[1]', 'bettertoken: status 429', undefined],
  ])('says what its body says: %s', async (text, message, providerCode) => {
    upstream.answerWith(answering({ status: 429, body: Buffer.from(text) }));
    expect(await failure(call())).toMatchObject({ message, providerCode });
  });

  it('is bounded in what it says', async () => {
    upstream.answerWith(answering(errorAnswer(400, { message: 'm'.repeat(9_000), code: 'c'.repeat(9_000) })));
    const { message, providerCode } = await failure(call());
    expect([message.length, providerCode?.length]).toEqual([500, 100]);
  });

  it('larger than 64 KiB counts by its status', async () => {
    upstream.answerWith(answering(errorAnswer(400, { message: 'm'.repeat(1_000_000) })));
    expect((await failure(call())).message).toBe('bettertoken: status 400');
  });

  it('that drips counts by its status after a few seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    upstream.answerWith((_request, response) => {
      response.writeHead(503, { 'retry-after': '4' }).write('{"error":');
    });
    let over = false;
    const failed = failure(call()).finally(() => {
      over = true;
    });
    await expect
      .poll(async () => {
        await vi.advanceTimersByTimeAsync(1_000);
        return over;
      })
      .toBe(true);
    expect(await failed).toMatchObject({ outcome: 'NOT_ACCEPTED', retryAfterMs: 4_000 });
    await upstream.requests[0]?.closed;
  });

  it('that is cut counts by its status', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(503, { 'content-length': 100 }).write('{"err', () => response.socket?.destroy());
    });
    expect(await failure(call())).toMatchObject({ outcome: 'NOT_ACCEPTED', httpStatus: 503 });
  });
});

describe('openai-wire: a peer that does not speak HTTP', () => {
  let sockets: Socket[] = [];
  const raw = async (answer: string) => {
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.once('data', () => socket.end(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const failed = await failure(generate(create({ baseUrl: `http://127.0.0.1:${port}/v1` })));
    for (const socket of sockets) socket.destroy();
    sockets = [];
    server.close();
    return failed;
  };

  it('is UNKNOWN, and its bytes (our key among them) show nowhere', async () => {
    const failed = await raw(`Authorization: Bearer ${API_KEY}\r\n\r\n`);
    expect(failed).toMatchObject({ outcome: 'UNKNOWN' });
    expect(inspect(failed, { depth: Infinity, showHidden: true })).not.toContain(API_KEY);
  });

  it.each([
    ['closes without a word', ''],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
    ['sends headers without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`],
    ['lies about the length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":[{"b64_json":"AAAA"'],
  ])('is UNKNOWN when it %s', async (_name, answer) => {
    expect(await raw(answer)).toMatchObject({ outcome: 'UNKNOWN' });
  });

  it('may send early hints first', async () => {
    upstream.answerWith((request, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      return answering(imageAnswer(PICTURE))(request, response);
    });
    expect(await generate()).toEqual(PICTURE);
  });
});
