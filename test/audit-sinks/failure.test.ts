import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/audit-sinks/failure.ts';

describe('describeFailure', () => {
  it('says what happened: name, code and message', () => {
    const error = Object.assign(new TypeError('connect failed'), { code: 'ECONNREFUSED' });
    expect(describeFailure(error)).toEqual({
      name: 'TypeError',
      code: 'ECONNREFUSED',
      message: 'connect failed',
    });
  });

  it.each([
    ['a URL’s password, path and query', 'GET https://me:s3cr3t@siem.example:8443/s3cr3t?key=s3cr3t failed'],
    ['a connection string', 'invalid dsn "postgres://user:s3cr3t@db/s3cr3t"'],
    ['a bearer token', 'refused: Authorization: Bearer s3cr3t'],
    ['a header', 'sent { "x-api-key": "s3cr3t", "a": 1 }'],
    ['a setting', 'SPLUNK_TOKEN=s3cr3t is no good'],
    ['a password in words', 'password: s3cr3t'],
  ])('keeps %s to itself', (_about, message) => {
    const failure = describeFailure(new Error(message));
    expect(failure.message).not.toContain('s3cr3t');
    expect(failure.message).toContain(message.slice(0, 4));
  });

  it('takes nothing else that hangs on the error', () => {
    const error = Object.assign(new Error('status 403'), {
      config: { headers: { authorization: 's3cr3t' } },
      code: 'a code with s3cr3t in it',
      cause: new Error('s3cr3t'),
    });
    expect(JSON.stringify(describeFailure(error))).not.toContain('s3cr3t');
  });

  it('makes one line of it, of bounded length', () => {
    const { message } = describeFailure(new Error(`a\nb${'c'.repeat(10_000)}`));
    expect(message).toMatch(/^a bc+$/);
    expect(message).toHaveLength(300);
  });

  it('shows nothing of what is no error', () => {
    expect(describeFailure('s3cr3t')).toEqual({
      name: 'string',
      code: undefined,
      message: 'It threw no Error.',
    });
  });
});
