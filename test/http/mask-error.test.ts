import { GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createMaskError } from '../../src/http/mask-error.ts';
import { startTestGateway } from '../support/gateway.ts';

/** The same class, of the copy of graphql that a plug-in brings along. */
const copy: string = new URL('../../node_modules/graphql/error/GraphQLError.mjs', import.meta.url).href;
const { GraphQLError: OtherError } = (await import(copy)) as { GraphQLError: typeof GraphQLError };

function masked(error: unknown) {
  const logged: unknown[] = [];
  const told = createMaskError((unexpected) => void logged.push(unexpected))(error);
  return { told: told.toJSON(), logged };
}

describe('a GraphQLError that a plug-in throws', () => {
  it('is told to the client, of whichever copy of graphql it is', async () => {
    expect(OtherError).not.toBe(GraphQLError);
    const throwing = (Thrown: typeof GraphQLError) => () => {
      throw new Thrown('not on Sundays', { extensions: { code: 'CLOSED' } });
    };
    const gateway = await startTestGateway({
      extensions: {
        plugins: [
          {
            name: 'opening-hours',
            schema: {
              typeDefs: 'extend type Query { own: Int other: Int }',
              resolvers: { Query: { own: throwing(GraphQLError), other: throwing(OtherError) } },
            },
          },
        ],
      },
    });
    try {
      const { status, body } = await gateway.send('{ own other }');
      expect(status).toBe(200);
      expect(body.errors).toMatchObject(
        ['own', 'other'].map((field) => ({
          message: 'not on Sundays',
          path: [field],
          extensions: { code: 'CLOSED' },
        })),
      );
    } finally {
      await gateway.close();
    }
  });

  it.each([GraphQLError, OtherError])('gets a code where it has none', (Thrown) => {
    const { told, logged } = masked(new Thrown('no'));
    expect(told).toMatchObject({ message: 'no', extensions: { code: 'BAD_REQUEST' } });
    expect(logged).toEqual([]);
  });
});

describe('any other error', () => {
  const MASKED = {
    message: 'The gateway failed unexpectedly.',
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  };
  const secret = new Error('secret');
  it.each<[string, unknown]>([
    ['one that is wrapped', new OtherError('secret', { originalError: secret })],
    ['one that has but its name', Object.assign(new Error('secret'), { name: 'GraphQLError' })],
    ['what is no error', { name: 'GraphQLError', message: 'secret', extensions: {}, locations: [] }],
  ])('is masked, and logged: %s', (_what, error) => {
    const { told, logged } = masked(error);
    expect(told).toMatchObject(MASKED);
    expect(JSON.stringify(told)).not.toContain('secret');
    expect(logged).toHaveLength(1);
  });
});
