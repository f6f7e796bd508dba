import { describe, expect, it } from 'vitest';
import type { GenerationRequest } from '../../src/middleware/middleware.ts';
import { quota } from '../../src/middleware/quota.ts';
import { describeRequestMiddleware } from '../../src/testing/describe-middleware.ts';
import { makeAnswer, makePrincipal, makeRequest } from '../../src/testing/made-up.ts';

describeRequestMiddleware('quota', quota);

describe('quota', () => {
  const reservationFor = async (principal: Parameters<typeof makePrincipal>[0]) => {
    let passed: GenerationRequest | undefined;
    await quota()(makeRequest({ principal: makePrincipal(principal) }), async (request) => {
      passed = request;
      return makeAnswer();
    });
    return passed?.quota;
  };

  it("asks for a reservation of the key's images of the day", async () => {
    expect(await reservationFor({ apiKeyId: 'key-id', imagesPerDay: 3 })).toEqual({
      apiKeyId: 'key-id',
      imagesPerDay: 3,
    });
  });

  it('asks for one where the limit is zero: such a key gets no image', async () => {
    expect(await reservationFor({ apiKeyId: 'key-id', imagesPerDay: 0 })).toMatchObject({ imagesPerDay: 0 });
  });

  it('asks for none where the key has no limit, or has no row', async () => {
    expect(await reservationFor({ imagesPerDay: undefined })).toBeUndefined();
    expect(await reservationFor({ apiKeyId: undefined, imagesPerDay: 3 })).toBeUndefined();
  });
});
