import { auditServer } from 'graphql-http';
import { describe, expect, it } from 'vitest';
import { ADMIN_KEY, startTestGateway } from '../support/gateway.ts';

/** Audits that ask for a type by introspection, which strangers don't get in production. */
const INTROSPECTING: readonly string[] = ['28B9', '2EA1', '6A70', 'D6D5'];

/** Not one MUST, SHOULD or MAY. */
const NONE: readonly string[] = [];

describe('GraphQL over HTTP, as graphql-http audits it', () => {
  it.each([
    {
      who: 'a known caller',
      environment: 'development',
      authorization: `Bearer ${ADMIN_KEY}`,
      exceptions: NONE,
    },
    { who: 'a stranger', environment: 'development', authorization: undefined, exceptions: NONE },
    {
      who: 'a known caller',
      environment: 'production',
      authorization: `Bearer ${ADMIN_KEY}`,
      exceptions: NONE,
    },
    { who: 'a stranger', environment: 'production', authorization: undefined, exceptions: INTROSPECTING },
  ])('is spoken to $who in $environment', async ({ environment, authorization, exceptions }) => {
    const gateway = await startTestGateway({ environment: { NODE_ENV: environment } });
    try {
      const results = await auditServer({
        url: `${gateway.url}/graphql`,
        fetchFn: (url: string, init: RequestInit = {}) => {
          const headers = new Headers(init.headers);
          if (authorization !== undefined) headers.set('authorization', authorization);
          return fetch(url, { ...init, headers });
        },
      });
      const failures = results.filter(({ status }) => status !== 'ok');
      expect(results.length).toBeGreaterThan(50);
      const unexpected = failures.filter(({ id }) => !exceptions.includes(id));
      expect(unexpected.map((failure) => `${failure.id} ${failure.name}`)).toEqual([]);
      expect(failures.map(({ id }) => id).sort()).toEqual(exceptions);
    } finally {
      await gateway.close();
    }
  });
});
