import type { ServerResponse } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBetterToken } from '../../src/providers/bettertoken.ts';
import { imageAnswer, readAll, startUpstream, type Upstream } from '../../src/testing/upstream.ts';

const PICTURE = Buffer.from('a picture that took its time');

// In a file of its own: undici keeps one timer for the life of a process, which must be a fake one from the start.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterAll(() => {
  vi.useRealTimers();
});

describe('a provider whose answer begins after 330 s', () => {
  let upstream: Upstream;
  let held: ServerResponse | undefined;
  beforeEach(async () => {
    held = undefined;
    upstream = await startUpstream((_request, response) => {
      held = response;
    });
  });
  afterEach(() => upstream.close());

  const generateFor330Seconds = async (dispatcher: Dispatcher) => {
    const provider = createBetterToken({
      apiKey: 'sk-test-0123456789abcdef',
      baseUrl: upstream.url,
      connections: 1,
      deadlineMs: 600_000,
      dispatcher,
    });
    const options = { signal: new AbortController().signal, requestId: 'request-1' };
    const picture = provider
      .generate({ prompt: 'slow', size: '3840x2160' }, options)
      .then((answer) => readAll(answer.picture))
      .catch((error: unknown) => error);
    await expect.poll(() => held).toBeDefined();
    await vi.advanceTimersByTimeAsync(330_000);
    const { status, headers, body } = imageAnswer(PICTURE);
    held?.writeHead(status, headers).end(body);
    return picture;
  };

  it('delivers it, with one call', async () => {
    const pool = new Pool(upstream.url);
    expect(await generateFor330Seconds(pool)).toEqual(PICTURE);
    expect(upstream.requests).toHaveLength(1);
    await pool.destroy();
  });

  it("would lose it with undici's own limit of 300 s", async () => {
    const pool = new Pool(upstream.url);
    const withOwnLimits = pool.compose((dispatch) => (options, handler) => {
      const { headersTimeout: _headersTimeout, bodyTimeout: _bodyTimeout, ...rest } = options;
      return dispatch(rest, handler);
    });
    expect(await generateFor330Seconds(withOwnLimits)).toMatchObject({
      outcome: 'UNKNOWN',
      providerCode: 'UND_ERR_HEADERS_TIMEOUT',
    });
    await pool.destroy();
  });
});
