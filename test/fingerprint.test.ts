import { describe, expect, it } from 'vitest';
import { fingerprintOf, type Intent } from '../src/fingerprint.ts';

describe('fingerprintOf', () => {
  const intent: Intent = {
    prompt: 'a lighthouse',
    size: '1024x1024',
    delivery: 'AT_LEAST_ONCE',
    provider: undefined,
  };
  const other = (changes: Partial<Intent>) => fingerprintOf({ ...intent, ...changes });

  it('is the SHA-256 of the intent, and stays the same from release to release', () => {
    // Keys that clients hold are compared with it: a change here makes a conflict of every retry.
    expect(fingerprintOf(intent)).toBe('15f11edad0fff7962d36d22ed8c08947f45b546fe29e11583c9ed7918a2ca696');
  });

  it('does not depend on the order of the fields', () => {
    const { provider, delivery, size, prompt } = intent;
    expect(fingerprintOf({ provider, delivery, size, prompt })).toBe(fingerprintOf(intent));
  });

  it('differs with the prompt, the size, the delivery and the provider', () => {
    const prints = [
      fingerprintOf(intent),
      other({ prompt: 'a lighthouse ' }),
      other({ size: 'auto' }),
      other({ delivery: 'AT_MOST_ONCE' }),
      other({ provider: 'bettertoken' }),
      other({ provider: 'null' }),
      other({ prompt: 'a lighthouse","1024x1024' }),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('is of nothing else', () => {
    expect(fingerprintOf({ ...intent, waitSeconds: 30, requestId: 'x' } as Intent)).toBe(
      fingerprintOf(intent),
    );
  });
});
