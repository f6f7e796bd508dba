import { afterEach, describe, expect, it } from 'vitest';
import { answering, type Respond } from '../../src/testing/upstream.ts';
import {
  bodiesOf,
  createBench,
  createQueue,
  drawn,
  failure,
  generate,
  handMade,
  PNG,
  post,
} from './ai-sdk-hand-made.ts';
import { json } from './ai-sdk-vendors.ts';

/** Takes the call, which may be billed, and answers nothing. */
const lost: Respond = (_request, response) => void response.socket?.resetAndDestroy();

const { start, providerOf, close } = createBench();
afterEach(close);

async function deadUrl(): Promise<string> {
  const upstream = await start(drawn);
  await upstream.close();
  return upstream.url;
}
/** Holds the answer to the first call until it is told, and answers the others at once. */
function holding(others: Respond) {
  const { promise: told, resolve: answerFirst } = Promise.withResolvers<void>();
  let calls = 0;
  const respond: Respond = async (request, response) => {
    calls += 1;
    if (calls > 1) return others(request, response);
    await told;
    return drawn(request, response);
  };
  return { respond, answerFirst };
}

describe('a call of another generation', () => {
  /** Two generations, the second of which waits in the queue until the first one's job is done. */
  async function second(respondSecond: Respond, passOn: boolean) {
    const { respond, answerFirst } = holding(respondSecond);
    const upstream = await start(respond);
    const queue = createQueue();
    const provider = providerOf(({ fetch }) =>
      handMade(async (options) =>
        queue.run(() => post(fetch, upstream.url, options.prompt, passOn ? options.abortSignal : undefined)),
      ),
    );
    const first = generate(provider, 'first');
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    const failed = failure(provider, 'second');
    await expect.poll(() => queue.waiting(), { interval: 5 }).toBe(1);
    answerFirst();
    expect((await first).equals(PNG)).toBe(true);
    const error = await failed;
    expect(bodiesOf(upstream)).toEqual(['{"prompt":"first"}', '{"prompt":"second"}']);
    return error;
  }

  it('is not taken for one of the generation whose job started it', async () => {
    expect(await second(lost, false)).toMatchObject({ outcome: 'UNKNOWN' });
    expect(await second(lost, true)).toMatchObject({ outcome: 'UNKNOWN' });
  });

  it('is known to be another’s by the signal that it carries', async () => {
    const busy = answering(json(503, {}));
    expect(await second(busy, true)).toMatchObject({ outcome: 'NOT_ACCEPTED', httpStatus: 503 });
  });

  it('that carries no signal leaves nothing certain, but the answer to the one call with this prompt', async () => {
    const upstream = await start(answering(json(503, {})));
    const provider = providerOf(({ fetch }) =>
      handMade(({ prompt }) => post(fetch, upstream.url, prompt, undefined)),
    );
    expect(await failure(provider, 'first')).toMatchObject({ outcome: 'NOT_ACCEPTED', httpStatus: 503 });

    // Of the two that the first saw either may be its own; the second was not there yet when the other was made.
    const both = await Promise.all([failure(provider, 'first'), failure(provider, 'second')]);
    expect(both.map(({ outcome }) => outcome)).toEqual(['UNKNOWN', 'NOT_ACCEPTED']);
  });

  it('is made by a worker that an earlier generation started: all are unsure', async () => {
    const upstream = await start(lost);
    let wake = () => {};
    const asked = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let worker: ReturnType<typeof post> | undefined;
    const provider = providerOf(({ fetch }) =>
      handMade(async () => {
        // Started by whoever comes first; one call for both.
        if (worker !== undefined) wake();
        worker ??= asked.then(() => post(fetch, upstream.url, 'both', undefined));
        return worker;
      }),
    );
    const failures = await Promise.all([failure(provider, 'first'), failure(provider, 'second')]);
    expect(failures.map(({ outcome }) => outcome)).toEqual(['UNKNOWN', 'UNKNOWN']);
    expect(upstream.requests).toHaveLength(1);
  });

  it('may hold the same prompt: both go out, and none a second time', async () => {
    const { respond, answerFirst } = holding(drawn);
    const upstream = await start(respond);
    const provider = providerOf(({ fetch }) =>
      handMade(({ prompt }) => post(fetch, upstream.url, prompt, undefined)),
    );
    const first = generate(provider);
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    expect((await generate(provider)).equals(PNG)).toBe(true);
    answerFirst();
    expect((await first).equals(PNG)).toBe(true);
    expect(upstream.requests).toHaveLength(2);
  });
});

describe('a model of two, of which the second does not call by our fetch', () => {
  const withSecond = (url: string, secondUrl: string) =>
    providerOf(({ fetch }) =>
      handMade(async ({ prompt, abortSignal }) => {
        if (prompt === 'by the first') return post(fetch, url, prompt, abortSignal);
        if (prompt === 'by the second') return post(globalThis.fetch, secondUrl, prompt, abortSignal);
        return post(fetch, url, prompt, abortSignal).catch(() =>
          post(globalThis.fetch, secondUrl, prompt, abortSignal),
        );
      }),
    );

  it('leaves unknown what the second did, though the first was seen before', async () => {
    const upstream = await start(answering(json(503, {})));
    const provider = withSecond(upstream.url, (await start(lost)).url);
    expect(await failure(provider, 'by the first')).toMatchObject({ outcome: 'NOT_ACCEPTED' });
    expect(await failure(provider, 'by the second')).toMatchObject({ outcome: 'UNKNOWN' });
    expect(await failure(provider, 'by both')).toMatchObject({ outcome: 'UNKNOWN' });
  });

  it('leaves it unknown where the first could not connect, and where it is aborted', async () => {
    const silent = await start(() => new Promise<void>(() => {}));
    const dead = await deadUrl();
    expect(await failure(withSecond(dead, (await start(lost)).url), 'by both')).toMatchObject({
      outcome: 'UNKNOWN',
    });
    const controller = new AbortController();
    const failed = failure(withSecond(dead, silent.url), 'by both', controller.signal);
    await expect.poll(() => silent.requests.length, { interval: 5 }).toBe(1);
    controller.abort();
    expect(await failed).toMatchObject({ outcome: 'UNKNOWN', providerCode: 'ABORTED' });
  });
});

describe('a call that was not sent', () => {
  it('is not sent after the verdict either', async () => {
    const { respond, answerFirst } = holding(drawn);
    const upstream = await start(respond);
    const queued = Promise.withResolvers<void>();
    const provider = providerOf(
      ({ fetch }) =>
        handMade(({ prompt, abortSignal }) => {
          const answered = post(fetch, upstream.url, prompt, abortSignal);
          if (prompt !== 'second') return answered;
          answered.catch(() => undefined);
          // The package's own limit: it gives up while its call waits for the one socket.
          return queued.promise.then(() => Promise.reject(new Error('Too slow.')));
        }),
      { connections: 1 },
    );
    const first = generate(provider, 'first');
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    const failed = failure(provider, 'second');
    setImmediate(queued.resolve);
    expect(await failed).toMatchObject({ outcome: 'NOT_ACCEPTED' });
    answerFirst();
    await first;
    await generate(provider, 'third');
    expect(bodiesOf(upstream)).toEqual(['{"prompt":"first"}', '{"prompt":"third"}']);
  });

  it('is stopped with its generation though it carries no signal, but then nothing is certain', async () => {
    const { respond, answerFirst } = holding(drawn);
    const upstream = await start(respond);
    const provider = providerOf(
      ({ fetch }) => handMade(({ prompt }) => post(fetch, upstream.url, prompt, undefined)),
      { connections: 1 },
    );
    const first = generate(provider, 'first');
    await expect.poll(() => upstream.requests.length, { interval: 5 }).toBe(1);
    const controller = new AbortController();
    const failed = failure(provider, 'second', controller.signal);
    setImmediate(() => controller.abort());
    expect(await failed).toMatchObject({ outcome: 'UNKNOWN' });
    answerFirst();
    await first;
    await generate(provider, 'third');
    expect(bodiesOf(upstream)).toEqual(['{"prompt":"first"}', '{"prompt":"third"}']);
  });
});
