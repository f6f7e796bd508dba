import { describe, expect, it } from 'vitest';
import { ForbiddenError } from '../../src/errors.ts';
import { SCOPES } from '../../src/generation.ts';
import { authorize } from '../../src/middleware/authorize.ts';
import { describeRequestMiddleware } from '../../src/testing/describe-middleware.ts';
import { makeAnswer, makePrincipal, makeRequest } from '../../src/testing/made-up.ts';

describeRequestMiddleware('authorize', authorize);

describe('authorize', () => {
  const send = (scopes: Parameters<typeof makePrincipal>[0]) => {
    const answer = makeAnswer();
    return authorize()(makeRequest({ principal: makePrincipal(scopes) }), async () => answer);
  };

  it('lets pass who holds images:generate, and the admin, and nobody else', async () => {
    for (const scope of SCOPES) {
      const sent = send({ scopes: new Set([scope]) });
      if (scope === 'images:generate' || scope === 'admin') await expect(sent, scope).resolves.toBeDefined();
      else await expect(sent, scope).rejects.toThrow(ForbiddenError);
    }
  });

  it('sends nothing on for a key without any scope', async () => {
    let reached = false;
    const sent = authorize()(makeRequest({ principal: makePrincipal({ scopes: new Set() }) }), async () => {
      reached = true;
      return makeAnswer();
    });
    await expect(sent).rejects.toMatchObject({ code: 'FORBIDDEN', retryable: false });
    expect(reached).toBe(false);
  });
});
