import { describe, expect, it } from 'vitest';
import type { Bench } from './bench.ts';
import type { ErrorSeen, Session } from './driver.ts';
import { API_KEYS_QUERY, VIEWER_NAME_QUERY } from './operations.ts';

interface ErrorCase {
  readonly what: string;
  /** null: none; undefined: a good one of an application that may generate images. */
  readonly key?: string | null;
  readonly ask: (session: Session) => Promise<unknown>;
  readonly shown: Omit<ErrorSeen, 'message'>;
}

const WRONG = 'gesso_0000000000000000_wrong';

/** Top-level errors. What a client shows of them in its own type must have the code, and the status where it tells one. */
const ERRORS: readonly ErrorCase[] = [
  {
    what: 'a mutation without a key',
    key: null,
    ask: (session) => session.generateImage({ prompt: 'A boat' }),
    shown: { code: 'UNAUTHENTICATED', httpStatus: 401 },
  },
  {
    what: 'a query without a key',
    key: null,
    ask: (session) => session.query(VIEWER_NAME_QUERY, {}),
    shown: { code: 'UNAUTHENTICATED', httpStatus: 401 },
  },
  {
    what: 'a mutation with a wrong key',
    key: WRONG,
    ask: (session) => session.generateImage({ prompt: 'A boat' }),
    shown: { code: 'UNAUTHENTICATED', httpStatus: 401 },
  },
  {
    what: 'a query with a wrong key',
    key: WRONG,
    ask: (session) => session.query(VIEWER_NAME_QUERY, {}),
    shown: { code: 'UNAUTHENTICATED', httpStatus: 401 },
  },
  {
    what: 'a field that the key has no scope for',
    ask: (session) => session.query(API_KEYS_QUERY, { first: 1 }),
    shown: { code: 'FORBIDDEN', httpStatus: 403 },
  },
  {
    what: 'an argument that is out of range',
    ask: (session) => session.list(1_000),
    shown: { code: 'BAD_USER_INPUT', httpStatus: 400 },
  },
];

export function describeErrors({ open }: Bench): void {
  describe('an error at the top of an answer', () => {
    it.each(ERRORS)('has its code: $what', async ({ key, ask, shown: { code, httpStatus } }) => {
      const { session } = await open(key);
      const error: unknown = await ask(session).then(
        (value) => expect.fail(`It answered ${JSON.stringify(value)}.`),
        (reason: unknown) => reason,
      );
      const seen = session.errorOf(error);
      expect(seen, String(error)).toMatchObject({ code, message: expect.stringMatching(/./) });
      // Not every client tells it; one that does must tell the right one.
      if (seen?.httpStatus !== undefined) expect(seen.httpStatus).toBe(httpStatus);
    });
  });
}
