import { randomBytes } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidPictureError, ProviderFailure } from '../errors.ts';
import type { PictureRequest } from '../generation.ts';
import type { Provider } from '../providers/provider.ts';
import {
  answering,
  failureOf,
  type RecordedRequest,
  readAll,
  startUpstream,
  type Upstream,
  type WireAnswer,
} from './upstream.ts';

/** What the suite must know of a provider: how it is made, and what its upstream's wire looks like. */
export interface ProviderUnderTest {
  readonly name: string;
  /** Makes the provider with an upstream at `url`, at most `connections` calls at once, and this secret. */
  create(upstream: { url: string; apiKey: string; connections: number }): Provider;
  /** A success that holds exactly these bytes; with no bytes, a whole answer without a picture. */
  success(picture: Buffer): WireAnswer;
  /** An error with this status, whose text says `message`. */
  error(status: number, message: string): WireAnswer;
  /** Checks that what was sent asks for the picture, with the key; throws where it does not. */
  checkRequest(sent: RecordedRequest, picture: PictureRequest, apiKey: string): void;
}

const API_KEY = 'sk-conformance+Key/0123456789';
const REQUEST: PictureRequest = { prompt: 'a gesso ground', size: '1024x1024' };
const REQUEST_ID = '0196b3c0-0000-7000-8000-000000000001';
const never = () => new Promise<void>(() => {});

/** The contract of `src/providers/provider.ts` as tests. Each provider's own test calls it. */
export const describeProvider = (underTest: ProviderUnderTest): void => {
  describe(`the provider ${underTest.name}, by contract`, () => {
    let upstream: Upstream;
    let provider: Provider;

    beforeEach(async () => {
      upstream = await startUpstream(answering(underTest.success(Buffer.from('picture'))));
      provider = underTest.create({ url: upstream.url, apiKey: API_KEY, connections: 4 });
    });
    afterEach(async () => {
      await provider.close();
      await upstream.close();
    });

    const generate = (signal = new AbortController().signal, request = REQUEST) =>
      provider.generate(request, { signal, requestId: REQUEST_ID });
    const failed = async (promise: Promise<unknown>): Promise<ProviderFailure> => {
      const error = await failureOf(promise);
      expect(error).toBeInstanceOf(ProviderFailure);
      return error as ProviderFailure;
    };
    const received = (count: number) =>
      expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(count);

    it('names itself, its models and its sizes', () => {
      expect(provider.name).toMatch(/^[a-z0-9-]+$/);
      expect(provider.models.length).toBeGreaterThan(0);
      expect(provider.sizes.length).toBeGreaterThan(0);
    });

    describe('request', () => {
      it('asks for what was asked, in every size, with X-Request-Id', async () => {
        for (const size of provider.sizes) {
          await readAll((await generate(undefined, { ...REQUEST, size })).picture);
          const sent = upstream.requests.at(-1);
          if (sent === undefined) expect.fail('Nothing was sent.');
          underTest.checkRequest(sent, { ...REQUEST, size }, API_KEY);
          expect(sent.headers['x-request-id']).toBe(REQUEST_ID);
        }
        expect(upstream.requests).toHaveLength(provider.sizes.length);
      });
    });

    describe('picture', () => {
      it('is passed on byte for byte, whatever its size', async () => {
        for (const byteSize of [1, 2, 3, 1000, 196_607, 196_608, 196_609, 3_000_001]) {
          const picture = randomBytes(byteSize);
          upstream.answerWith(answering(underTest.success(picture)));
          const answer = await generate();
          expect(answer.httpStatus).toBe(200);
          expect(provider.models).toContain(answer.model);
          expect((await readAll(answer.picture)).equals(picture)).toBe(true);
        }
      });

      it('is passed on whole when it comes in crumbs', async () => {
        const picture = randomBytes(200);
        upstream.answerWith(async (_request, response) => {
          const { status, headers, body } = underTest.success(picture);
          response.writeHead(status, headers);
          for (let at = 0; at < body.length; at += 1) {
            response.write(body.subarray(at, at + 1));
            if (at % 7 === 0) await new Promise(setImmediate);
          }
          response.end();
        });
        expect(await readAll((await generate()).picture)).toEqual(picture);
      });

      it('waits in the socket while its reader is slow', async () => {
        const picture = Buffer.alloc(48 * 1024 * 1024, 1);
        const { status, headers, body } = underTest.success(picture);
        let taken = 0;
        upstream.answerWith((_request, response) => {
          response.writeHead(status, headers);
          const pump = (at: number) => {
            if (at >= body.length) return void response.end();
            taken = at;
            if (response.write(body.subarray(at, at + 65_536))) setImmediate(pump, at + 65_536);
            else response.once('drain', () => pump(at + 65_536));
          };
          pump(0);
        });
        const answer = await generate();
        const blocks = answer.picture[Symbol.asyncIterator]();
        const first = await blocks.next();
        await new Promise((resolve) => setTimeout(resolve, 300));
        // What the kernel buffers on both sides of a loopback connection.
        expect(taken).toBeLessThan(16 * 1024 * 1024);
        let byteSize = first.value?.length ?? 0;
        for (let next = await blocks.next(); !next.done; next = await blocks.next())
          byteSize += next.value.length;
        expect(byteSize).toBe(picture.length);
      });

      it('can be left in the middle, which frees the socket', async () => {
        upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
        for await (const block of (await generate()).picture) {
          expect(block.length).toBeGreaterThan(0);
          break;
        }
        await upstream.requests[0]?.closed;
      });

      it('can be left before its first block, which frees the socket', async () => {
        upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
        await (await generate()).picture[Symbol.asyncIterator]().return?.();
        await upstream.requests[0]?.closed;
      });

      it('fails as UNKNOWN when the answer is cut', async () => {
        upstream.answerWith((_request, response) => {
          const { status, headers, body } = underTest.success(randomBytes(400_000));
          response.writeHead(status, { ...headers, 'content-length': body.length });
          response.write(body.subarray(0, -9), () => response.socket?.destroy());
        });
        const failure = await failed(generate().then((answer) => readAll(answer.picture)));
        expect(failure).toMatchObject({ outcome: 'UNKNOWN', httpStatus: 200 });
      });

      it('fails as InvalidPictureError when the answer is whole and holds none', async () => {
        upstream.answerWith(answering(underTest.success(Buffer.alloc(0))));
        const error = await failureOf(generate().then((answer) => readAll(answer.picture)));
        expect(error).toBeInstanceOf(InvalidPictureError);
      });

      it('tells its metadata at the end, and not before', async () => {
        upstream.answerWith(answering(underTest.success(randomBytes(500_000))));
        const answer = await generate();
        expect(answer.metadata).toThrow();
        for await (const _block of answer.picture) expect(answer.metadata).toThrow();
        expect(answer.metadata()).toHaveProperty('revisedPrompt');
      });
    });

    describe('failure', () => {
      it('is NOT_ACCEPTED when the connection is refused', async () => {
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const address = server.address();
        await new Promise((resolve) => server.close(resolve));
        const port = typeof address === 'object' ? address?.port : undefined;
        const lost = underTest.create({ url: `http://127.0.0.1:${port}`, apiKey: API_KEY, connections: 1 });
        const { signal } = new AbortController();
        const failure = await failed(lost.generate(REQUEST, { signal, requestId: REQUEST_ID }));
        expect(failure).toMatchObject({ outcome: 'NOT_ACCEPTED', providerCode: 'ECONNREFUSED' });
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        await lost.close();
      });

      it('is UNKNOWN when the connection breaks after the request was sent', async () => {
        upstream.answerWith((_request, response) => void response.socket?.resetAndDestroy());
        expect(await failed(generate())).toMatchObject({ outcome: 'UNKNOWN', httpStatus: undefined });
        expect(upstream.requests).toHaveLength(1);
      });

      it.each([
        [400, 'REJECTED', 'REQUEST'],
        [401, 'REJECTED', 'OPERATOR'],
        [403, 'REJECTED', 'OPERATOR'],
        [404, 'REJECTED', 'OPERATOR'],
        [408, 'NOT_ACCEPTED', undefined],
        [409, 'NOT_ACCEPTED', undefined],
        [422, 'REJECTED', 'REQUEST'],
        [425, 'NOT_ACCEPTED', undefined],
        [429, 'NOT_ACCEPTED', undefined],
        [500, 'UNKNOWN', undefined],
        [502, 'UNKNOWN', undefined],
        [503, 'NOT_ACCEPTED', undefined],
        [504, 'UNKNOWN', undefined],
      ])('with status %i is %s (%s), after exactly one call', async (status, outcome, rejection) => {
        upstream.answerWith(answering(underTest.error(status, 'No.')));
        expect(await failed(generate())).toMatchObject({ outcome, rejection, httpStatus: status });
        expect(upstream.requests).toHaveLength(1);
      });

      it.each([301, 302, 303, 307, 308])('with status %i, which is not followed', async (status) => {
        upstream.answerWith((_request, response) => {
          response.writeHead(status, { location: `${upstream.url}/elsewhere` }).end();
        });
        expect(await failed(generate())).toMatchObject({ outcome: 'REJECTED', rejection: 'OPERATOR' });
        expect(upstream.requests).toHaveLength(1);
      });

      it('never shows the key, though the upstream echoes it', async () => {
        const base64 = Buffer.from(`Bearer ${API_KEY}`).toString('base64');
        const echo = `Wrong key ${API_KEY}, ${encodeURIComponent(API_KEY)}, ${base64}.`;
        for (const status of [302, 400, 401, 429, 500]) {
          const answer = underTest.error(status, echo);
          upstream.answerWith(answering({ ...answer, headers: { ...answer.headers, 'x-echo': API_KEY } }));
          const failure = await failed(generate());
          const shown = inspect(failure, { depth: Infinity, showHidden: true }) + JSON.stringify(failure);
          for (const secret of [API_KEY, encodeURIComponent(API_KEY), base64.slice(12, 40)]) {
            expect(shown).not.toContain(secret);
          }
        }
      });
    });

    describe('abort', () => {
      it('before the call is NOT_ACCEPTED, and nothing is sent', async () => {
        expect(await failed(generate(AbortSignal.abort()))).toMatchObject({ outcome: 'NOT_ACCEPTED' });
        expect(upstream.openSockets()).toBe(0);
      });

      it('while it waits for a socket is NOT_ACCEPTED at once, and nothing is sent later', async () => {
        const single = underTest.create({ url: upstream.url, apiKey: API_KEY, connections: 1 });
        const options = { signal: new AbortController().signal, requestId: REQUEST_ID };
        let proceed = () => {};
        upstream.answerWith(async (request, response) => {
          await new Promise<void>((resolve) => {
            proceed = resolve;
          });
          await answering(underTest.success(Buffer.from('first')))(request, response);
        });
        const first = single.generate(REQUEST, options);
        await received(1);
        const controller = new AbortController();
        const second = failed(single.generate(REQUEST, { ...options, signal: controller.signal }));
        controller.abort();
        expect(await second).toMatchObject({ outcome: 'NOT_ACCEPTED' });
        proceed();
        expect((await readAll((await first).picture)).toString()).toBe('first');

        upstream.answerWith(answering(underTest.success(Buffer.from('third'))));
        const third = await single.generate(REQUEST, options);
        expect((await readAll(third.picture)).toString()).toBe('third');
        expect(upstream.requests).toHaveLength(2);
        await single.close();
      });

      it('after the call was sent is UNKNOWN, and closes the socket', async () => {
        upstream.answerWith(never);
        const controller = new AbortController();
        const call = failed(generate(controller.signal));
        await received(1);
        controller.abort();
        expect(await call).toMatchObject({ outcome: 'UNKNOWN' });
        await upstream.requests[0]?.closed;
      });

      it('while the picture is read is UNKNOWN, and closes the socket', async () => {
        upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
        const controller = new AbortController();
        const { picture } = await generate(controller.signal);
        const blocks = picture[Symbol.asyncIterator]();
        await blocks.next();
        controller.abort();
        expect(await failed(blocks.next())).toMatchObject({ outcome: 'UNKNOWN' });
        await upstream.requests[0]?.closed;
      });

      it('leaves no listener on the signal, however the call ended', async () => {
        const { signal } = new AbortController();
        await readAll((await generate(signal)).picture);
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        await (await generate(signal)).picture[Symbol.asyncIterator]().return?.();
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        upstream.answerWith(answering(underTest.error(500, 'No.')));
        await failed(generate(signal));
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      });
    });

    describe('close', () => {
      it('resolves, and leaves no socket open', async () => {
        await readAll((await generate()).picture);
        await provider.close();
        await expect.poll(() => upstream.openSockets(), { interval: 5 }).toBe(0);
      });

      it('resolves though a call is open, which ends as UNKNOWN', async () => {
        upstream.answerWith(never);
        const call = failed(generate());
        await received(1);
        await provider.close();
        expect(await call).toMatchObject({ outcome: 'UNKNOWN' });
      });

      it('lets no further call out', async () => {
        await provider.close();
        expect(await failed(generate())).toMatchObject({ outcome: 'NOT_ACCEPTED' });
        expect(upstream.requests).toHaveLength(0);
      });
    });
  });
};
