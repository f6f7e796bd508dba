import { describe, expect, it } from 'vitest';
import { ForbiddenError, IdempotencyConflictError, QuotaExceededError } from '../../src/errors.ts';
import type { AuditLine } from '../../src/ledger/audit.ts';
import { type AuditOptions, audit } from '../../src/middleware/audit.ts';
import { describeRequestMiddleware } from '../../src/testing/describe-middleware.ts';
import { makeAnswer, makeGeneration, makeRequest, NOON } from '../../src/testing/made-up.ts';

describeRequestMiddleware('audit', () =>
  audit({
    append: async () => {},
    onError(error) {
      throw error;
    },
  }),
);

describe('audit', () => {
  function createTrail(append: AuditOptions['append'] = async () => {}) {
    const lines: AuditLine[] = [];
    const errors: unknown[] = [];
    const middleware = audit({
      append(line) {
        lines.push(line);
        return append(line);
      },
      onError: (error) => void errors.push(error),
    });
    return { lines, errors, middleware };
  }
  const request = makeRequest({ requestId: 'request-7' });
  const { clientId } = request.principal;

  it('records a replay, with its generation', async () => {
    const { lines, middleware } = createTrail();
    await middleware(request, async () => makeAnswer({ replayed: true }));
    const generationId = makeGeneration().id;
    expect(lines).toEqual([
      { action: 'GENERATION_REPLAYED', requestId: 'request-7', clientId, generationId },
    ]);
  });

  it('leaves a new generation to the statement that makes it', async () => {
    const { lines, middleware } = createTrail();
    await middleware(request, async () => makeAnswer());
    expect(lines).toEqual([]);
  });

  it('records a conflict, with the generation that holds the key', async () => {
    const { lines, middleware } = createTrail();
    const existing = makeGeneration({ id: 'existing' });
    const conflict = new IdempotencyConflictError(existing);
    await expect(middleware(request, () => Promise.reject(conflict))).rejects.toBe(conflict);
    expect(lines).toMatchObject([
      { action: 'GENERATION_CONFLICTED', requestId: 'request-7', clientId, generationId: 'existing' },
    ]);
  });

  it.each([new ForbiddenError('no scope'), new QuotaExceededError(3, NOON)])(
    'records the denial by %s before it is answered',
    async (denial) => {
      let committed = false;
      const { lines, middleware } = createTrail(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        committed = true;
      });
      await expect(middleware(request, () => Promise.reject(denial))).rejects.toBe(denial);
      expect(committed).toBe(true);
      expect(lines).toEqual([
        { action: 'GENERATION_DENIED', requestId: 'request-7', clientId, message: denial.message },
      ]);
    },
  );

  it('does not keep a replay waiting for the trail', async () => {
    const { promise: never } = Promise.withResolvers<void>();
    const { middleware } = createTrail(() => never);
    const answer = makeAnswer({ replayed: true });
    expect(await middleware(request, async () => answer)).toBe(answer);
  });

  it('answers a replay whose line is lost, and tells of the loss', async () => {
    const lost = new Error('the database is away');
    const { errors, middleware } = createTrail(() => Promise.reject(lost));
    const answer = makeAnswer({ replayed: true });
    expect(await middleware(request, async () => answer)).toBe(answer);
    await expect.poll(() => errors).toEqual([lost]);
  });

  it('does not hide a denial that it could not record behind a success', async () => {
    const { middleware } = createTrail(() => Promise.reject(new Error('the database is away')));
    await expect(middleware(request, () => Promise.reject(new ForbiddenError('no')))).rejects.toThrow();
  });
});
