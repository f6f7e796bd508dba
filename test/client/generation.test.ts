import { describe, expect, it } from 'vitest';
import { versionOf } from '../../src/client/generation.ts';

const fields = { status: 'QUEUED', provider: 'first', attempts: [] } as unknown as Parameters<
  typeof versionOf
>[0];

describe('what changes when a generation goes on', () => {
  it('is its status, its provider, and what became of its attempts', () => {
    const attempts = [{ ...fields.attempts[0], outcome: 'PENDING' }] as unknown as typeof fields.attempts;
    const changes = [{ status: 'RUNNING' as const }, { provider: 'second' }, { attempts }];
    for (const change of changes) {
      expect(versionOf({ ...fields, ...change }), JSON.stringify(change)).not.toBe(versionOf(fields));
    }
    expect(versionOf({ ...fields, model: 'another' })).toBe(versionOf(fields));
  });
});
