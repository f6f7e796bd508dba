import type { RequestMiddleware } from './middleware.ts';

/**
 * Asks for a reservation of the key's images of the UTC day. It is made in the claim's own transaction, so that
 * it can't be lost or counted twice; joining and replaying need none.
 */
export function quota(): RequestMiddleware {
  return async function quota(request, next) {
    const { apiKeyId, imagesPerDay } = request.principal;
    if (apiKeyId === undefined || imagesPerDay === undefined) return next(request);
    return next({ ...request, quota: { apiKeyId, imagesPerDay } });
  };
}
