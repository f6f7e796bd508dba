import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { InvalidPictureError } from '../errors.ts';
import { describeProviderFailures } from './describe-provider-failures.ts';
import {
  API_KEY,
  createProviderBench,
  never,
  type ProviderUnderTest,
  REQUEST,
  REQUEST_ID,
} from './provider-bench.ts';
import { answering, failureOf, readAll } from './upstream.ts';

/** The contract of `src/providers/provider.ts` as tests. Each provider's own test calls it. */
export const describeProvider = (underTest: ProviderUnderTest): void => {
  describe(`the provider ${underTest.name}, by contract`, () => {
    const bench = createProviderBench(underTest);
    const { generate, failed, received } = bench;

    it('names itself, its models and its sizes', () => {
      expect(bench.provider.name).toMatch(/^[a-z0-9-]+$/);
      expect(bench.provider.models.length).toBeGreaterThan(0);
      expect(bench.provider.sizes.length).toBeGreaterThan(0);
    });

    describe('request', () => {
      it('asks for what was asked, in every size, with X-Request-Id', async () => {
        for (const size of bench.provider.sizes) {
          await readAll((await generate(undefined, { ...REQUEST, size })).picture);
          const sent = bench.upstream.requests.at(-1);
          if (sent === undefined) expect.fail('Nothing was sent.');
          underTest.checkRequest(sent, { ...REQUEST, size }, API_KEY);
          expect(sent.headers['x-request-id']).toBe(REQUEST_ID);
        }
        expect(bench.upstream.requests).toHaveLength(bench.provider.sizes.length);
      });
    });

    describe('picture', () => {
      it('is passed on byte for byte, whatever its size', async () => {
        for (const byteSize of [1, 2, 3, 1000, 196_607, 196_608, 196_609, 3_000_001]) {
          const picture = randomBytes(byteSize);
          bench.upstream.answerWith(answering(underTest.success(picture)));
          const answer = await generate();
          expect(answer.httpStatus).toBe(200);
          expect(bench.provider.models).toContain(answer.model);
          expect((await readAll(answer.picture)).equals(picture)).toBe(true);
        }
      });

      it('is passed on whole when it comes in crumbs', async () => {
        const picture = randomBytes(200);
        bench.upstream.answerWith(async (_request, response) => {
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

      it.runIf(underTest.streams !== false)('waits in the socket while its reader is slow', async () => {
        const picture = Buffer.alloc(48 * 1024 * 1024, 1);
        const { status, headers, body } = underTest.success(picture);
        let taken = 0;
        bench.upstream.answerWith((_request, response) => {
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
        bench.upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
        for await (const block of (await generate()).picture) {
          expect(block.length).toBeGreaterThan(0);
          break;
        }
        await bench.upstream.requests[0]?.closed;
      });

      it('can be left before its first block, which frees the socket', async () => {
        bench.upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
        await (await generate()).picture[Symbol.asyncIterator]().return?.();
        await bench.upstream.requests[0]?.closed;
      });

      it('fails as UNKNOWN when the answer is cut', async () => {
        bench.upstream.answerWith((_request, response) => {
          const { status, headers, body } = underTest.success(randomBytes(400_000));
          response.writeHead(status, { ...headers, 'content-length': body.length });
          response.write(body.subarray(0, -9), () => response.socket?.destroy());
        });
        const failure = await failed(generate().then((answer) => readAll(answer.picture)));
        expect(failure).toMatchObject({ outcome: 'UNKNOWN', httpStatus: 200 });
      });

      it('fails as InvalidPictureError when the answer is whole and holds none', async () => {
        bench.upstream.answerWith(answering(underTest.success(Buffer.alloc(0))));
        const error = await failureOf(generate().then((answer) => readAll(answer.picture)));
        expect(error).toBeInstanceOf(InvalidPictureError);
      });

      it('tells its metadata at the end, and not before', async () => {
        bench.upstream.answerWith(answering(underTest.success(randomBytes(500_000))));
        const answer = await generate();
        expect(answer.metadata).toThrow();
        for await (const _block of answer.picture) expect(answer.metadata).toThrow();
        expect(answer.metadata()).toHaveProperty('revisedPrompt');
      });
    });

    describeProviderFailures(bench);

    describe('close', () => {
      it('resolves, and leaves no socket open', async () => {
        await readAll((await generate()).picture);
        await bench.provider.close();
        await expect.poll(() => bench.upstream.openSockets(), { interval: 5 }).toBe(0);
      });

      it('resolves though a call is open, which ends as UNKNOWN', async () => {
        bench.upstream.answerWith(never);
        const call = failed(generate());
        await received(1);
        await bench.provider.close();
        expect(await call).toMatchObject({ outcome: 'UNKNOWN' });
      });

      it('lets no further call out', async () => {
        await bench.provider.close();
        expect(await failed(generate())).toMatchObject({ outcome: 'NOT_ACCEPTED' });
        expect(bench.upstream.requests).toHaveLength(0);
      });
    });
  });
};
