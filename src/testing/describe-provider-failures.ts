import { randomBytes } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { API_KEY, never, type ProviderBench, REQUEST, REQUEST_ID } from './provider-bench.ts';
import { answering, readAll } from './upstream.ts';

/** How a provider says what became of a call that brought no picture, or that was aborted. */
export const describeProviderFailures = (bench: ProviderBench): void => {
  const { underTest, generate, failed, received } = bench;

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
      bench.upstream.answerWith((_request, response) => void response.socket?.resetAndDestroy());
      expect(await failed(generate())).toMatchObject({ outcome: 'UNKNOWN', httpStatus: undefined });
      expect(bench.upstream.requests).toHaveLength(1);
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
      bench.upstream.answerWith(answering(underTest.error(status, 'No.')));
      expect(await failed(generate())).toMatchObject({ outcome, rejection, httpStatus: status });
      expect(bench.upstream.requests).toHaveLength(1);
    });

    it.each([301, 302, 303, 307, 308])('with status %i, which is not followed', async (status) => {
      bench.upstream.answerWith((_request, response) => {
        response.writeHead(status, { location: `${bench.upstream.url}/elsewhere` }).end();
      });
      const { outcome, rejection } = await failed(generate());
      // Of a vendor that is not known, a redirect may also say that the call was carried out.
      expect(['REJECTED OPERATOR', 'UNKNOWN undefined']).toContain(`${outcome} ${rejection}`);
      expect(bench.upstream.requests).toHaveLength(1);
    });

    it('never shows the key, though the upstream echoes it', async () => {
      const base64 = Buffer.from(`Bearer ${API_KEY}`).toString('base64');
      const echo = `Wrong key ${API_KEY}, ${encodeURIComponent(API_KEY)}, ${base64}.`;
      for (const status of [302, 400, 401, 429, 500]) {
        const answer = underTest.error(status, echo);
        bench.upstream.answerWith(
          answering({ ...answer, headers: { ...answer.headers, 'x-echo': API_KEY } }),
        );
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
      expect(bench.upstream.openSockets()).toBe(0);
    });

    it.runIf(underTest.limitsConnections !== false)(
      'while it waits for a socket is NOT_ACCEPTED at once, and nothing is sent later',
      async () => {
        const single = underTest.create({ url: bench.upstream.url, apiKey: API_KEY, connections: 1 });
        const options = { signal: new AbortController().signal, requestId: REQUEST_ID };
        let proceed = () => {};
        bench.upstream.answerWith(async (request, response) => {
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

        bench.upstream.answerWith(answering(underTest.success(Buffer.from('third'))));
        const third = await single.generate(REQUEST, options);
        expect((await readAll(third.picture)).toString()).toBe('third');
        expect(bench.upstream.requests).toHaveLength(2);
        await single.close();
      },
    );

    it('after the call was sent is UNKNOWN, and closes the socket', async () => {
      bench.upstream.answerWith(never);
      const controller = new AbortController();
      const call = failed(generate(controller.signal));
      await received(1);
      controller.abort();
      expect(await call).toMatchObject({ outcome: 'UNKNOWN' });
      await bench.upstream.requests[0]?.closed;
    });

    it('while the picture is read is UNKNOWN, and closes the socket', async () => {
      bench.upstream.answerWith(answering(underTest.success(randomBytes(20_000_000))));
      const controller = new AbortController();
      const { picture } = await generate(controller.signal);
      const blocks = picture[Symbol.asyncIterator]();
      await blocks.next();
      controller.abort();
      expect(await failed(blocks.next())).toMatchObject({ outcome: 'UNKNOWN' });
      await bench.upstream.requests[0]?.closed;
    });

    it('leaves no listener on the signal, however the call ended', async () => {
      const { signal } = new AbortController();
      await readAll((await generate(signal)).picture);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      await (await generate(signal)).picture[Symbol.asyncIterator]().return?.();
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      bench.upstream.answerWith(answering(underTest.error(500, 'No.')));
      await failed(generate(signal));
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });
};
