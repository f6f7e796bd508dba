import { ForbiddenError } from '../errors.ts';
import { hasScope } from '../generation.ts';
import type { RequestMiddleware } from './middleware.ts';

/** Lets pass who holds `images:generate`. The schema asks too; here, no path gets around it. */
export function authorize(): RequestMiddleware {
  return async function authorize(request, next) {
    if (!hasScope(request.principal, 'images:generate')) {
      throw new ForbiddenError('This API key lacks the scope `images:generate`.');
    }
    return next(request);
  };
}
