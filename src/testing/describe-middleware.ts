import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  FencedError,
  type GatewayError,
  GatewayUnavailableError,
  HandoverError,
  InvalidInputError,
  InvalidPictureError,
  ProviderFailure,
} from '../errors.ts';
import type { AttemptMiddleware, RequestMiddleware } from '../middleware/middleware.ts';
import {
  makeAnswer,
  makeAttempt,
  makeAttemptRequest,
  makeDelivered,
  makeGeneration,
  makeRequest,
  makeRun,
} from './made-up.ts';

/** How many requests pass a middleware at once, to see whether they get mixed up. */
const AT_ONCE = 50;

/** A refusal by what lies further in must reach the caller as it was thrown. */
async function passesOn(errors: readonly unknown[], send: (error: unknown) => Promise<unknown>) {
  for (const error of errors) {
    const thrown: unknown = await send(error).catch((caught: unknown) => caught);
    expect(thrown).toBe(error);
  }
}

/**
 * The contract of a request-ring middleware as tests; each one's own test calls it. `create` makes one that lets
 * an ordinary request pass.
 */
export const describeRequestMiddleware = (name: string, create: () => RequestMiddleware): void => {
  describe(`${name}, as a request-ring middleware`, () => {
    const refusals: readonly GatewayError[] = [
      new ConfigError('no'),
      new GatewayUnavailableError('away'),
      new InvalidInputError([{ path: ['input', 'size'], message: 'no' }]),
    ];

    it('is a function of that name', () => {
      expect(create().name).toBe(name);
    });

    it('passes a request on once, and its answer back', async () => {
      const answer = makeAnswer();
      let calls = 0;
      const received = await create()(makeRequest({ idempotencyKey: 'key-1' }), async () => {
        calls += 1;
        return answer;
      });
      expect(received).toEqual(answer);
      expect(calls).toBe(1);
    });

    it('passes refusals and bugs on as they were thrown, and does not try again', async () => {
      const middleware = create();
      let calls = 0;
      const errors = [...refusals, new TypeError('a bug')];
      await passesOn(errors, (error) =>
        middleware(makeRequest({ idempotencyKey: `key-${calls}` }), () => {
          calls += 1;
          throw error;
        }),
      );
      expect(calls).toBe(errors.length);
    });

    it('leaves what was asked for alone: neither the request nor its meaning is changed', async () => {
      const request = Object.freeze(makeRequest({ idempotencyKey: 'key-1' }));
      const before = structuredClone(request);
      await create()(request, async (passed) => {
        const { quota: _added, ...asked } = passed;
        const { quota: _none, ...given } = before;
        expect(asked).toEqual(given);
        return makeAnswer();
      });
      expect(request).toEqual(before);
    });

    it('keeps requests apart that pass at the same time', async () => {
      const middleware = create();
      const ids = Array.from({ length: AT_ONCE }, (_, index) => `generation-${index}`);
      const answers = await Promise.all(
        ids.map((id, index) =>
          middleware(makeRequest({ requestId: id, idempotencyKey: id }), async ({ requestId }) => {
            // Later requests are answered first.
            for (let turn = index; turn < AT_ONCE; turn++) await Promise.resolve();
            return makeAnswer({ generation: makeGeneration({ id: requestId }) });
          }),
        ),
      );
      expect(answers.map(({ generation }) => generation.id)).toEqual(ids);
    });
  });
};

/**
 * The contract of an attempt-ring middleware as tests; each one's own test calls it. `create` makes one that lets
 * an ordinary attempt pass.
 */
export const describeAttemptMiddleware = (name: string, create: () => AttemptMiddleware): void => {
  describe(`${name}, as an attempt-ring middleware`, () => {
    const refusals: readonly GatewayError[] = [
      new ConfigError('no'),
      new FencedError('another replica'),
      new HandoverError('shutting down'),
      new InvalidPictureError('no picture'),
      new ProviderFailure('refused', { outcome: 'REJECTED', httpStatus: 400 }),
    ];

    it('is a function of that name', () => {
      expect(create().name).toBe(name);
    });

    it('calls once where the picture comes, and hands it on', async () => {
      const delivered = makeDelivered();
      let calls = 0;
      const received = await create()(makeAttemptRequest(), async () => {
        calls += 1;
        return delivered;
      });
      expect(received).toBe(delivered);
      expect(calls).toBe(1);
    });

    it('passes on as it was thrown what no other call can mend, and makes none', async () => {
      const middleware = create();
      let calls = 0;
      await passesOn(refusals, (error) =>
        middleware(makeAttemptRequest(), () => {
          calls += 1;
          throw error;
        }),
      );
      expect(calls).toBe(refusals.length);
    });

    it('changes nothing of the request, and passes on whose generation and run it is', async () => {
      const request = Object.freeze(makeAttemptRequest());
      const before = { ...request };
      await create()(request, async (passed) => {
        expect(passed.generation).toBe(request.generation);
        expect(passed.run).toBe(request.run);
        expect(passed.provider).toBe(request.provider);
        expect(passed.deadlineAt).toBe(request.deadlineAt);
        return makeDelivered();
      });
      expect({ ...request }).toEqual(before);
    });

    it('lets an abort of the request reach the call', async () => {
      const caller = new AbortController();
      const reason = new FencedError('canceled');
      const request = makeAttemptRequest({ signal: caller.signal });
      const sent = create()(request, async ({ signal }) => {
        caller.abort(reason);
        signal.throwIfAborted();
        return makeDelivered();
      });
      await expect(sent).rejects.toBe(reason);
    });

    it('keeps generations apart that pass at the same time', async () => {
      const middleware = create();
      const ids = Array.from({ length: AT_ONCE }, (_, index) => `generation-${index}`);
      const delivered = await Promise.all(
        ids.map((id, index) => {
          const run = makeRun({ generation: makeGeneration({ id, status: 'RUNNING' }) });
          return middleware(makeAttemptRequest({ run }), async ({ generation }) => {
            for (let turn = index; turn < AT_ONCE; turn++) await Promise.resolve();
            return makeDelivered(makeAttempt({ generationId: generation.id }));
          });
        }),
      );
      expect(delivered.map(({ attempt }) => attempt.generationId)).toEqual(ids);
    });
  });
};
