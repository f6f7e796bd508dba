import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../src/errors.ts';
import { fingerprintOf } from '../src/fingerprint.ts';
import { type GenerationInput, MAX_PROMPT_LENGTH, toGenerationRequests } from '../src/generation-input.ts';
import { makePrincipal } from '../src/testing/made-up.ts';

const caller = {
  principal: makePrincipal(),
  requestId: 'request-1',
  signal: new AbortController().signal,
  maxWaitMs: 60_000,
  webhookHosts: ['hooks.example.com'],
};
const input = (changes: Partial<GenerationInput> = {}): GenerationInput => ({
  prompt: 'a lighthouse',
  size: '1024x1024',
  delivery: 'AT_LEAST_ONCE',
  provider: undefined,
  idempotencyKey: undefined,
  waitSeconds: undefined,
  webhookUrl: undefined,
  ...changes,
});
const requests = (changes?: Partial<GenerationInput>) => toGenerationRequests(input(changes), caller);

/** The fields that are refused, with what is said of each. */
function refusals(changes: Partial<GenerationInput>): Record<string, string> {
  try {
    requests(changes);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    return Object.fromEntries(error.issues.map(({ path, message }) => [path.join('.'), message]));
  }
  return {};
}

describe('toGenerationRequests', () => {
  it('makes one request of generateImage, with ordinal 0', () => {
    const { principal, requestId, signal } = caller;
    const fingerprint = fingerprintOf(input());
    expect(requests()).toEqual([
      {
        principal,
        requestId,
        signal,
        prompt: 'a lighthouse',
        size: '1024x1024',
        delivery: 'AT_LEAST_ONCE',
        provider: undefined,
        idempotencyKey: undefined,
        ordinal: 0,
        waitMs: 60_000,
        fingerprint,
        webhookUrl: undefined,
        quota: undefined,
      },
    ]);
  });

  it('makes `count` requests of generateImages, numbered from 1, all of one intent', () => {
    const three = requests({ count: 3, idempotencyKey: 'key-1' });
    expect(three.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3]);
    expect(new Set(three.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(requests({ count: 1 }).map(({ ordinal }) => ordinal)).toEqual([1]);
  });

  it('waits as long as asked, at most as long as it may', () => {
    const waitMs = (waitSeconds: number) => requests({ waitSeconds })[0]?.waitMs;
    expect(waitMs(0)).toBe(0);
    expect(waitMs(7)).toBe(7_000);
    expect(waitMs(61)).toBe(60_000);
    expect(waitMs(2_147_483_647)).toBe(60_000);
  });

  it('keeps the prompt as it is, in any script, white space included', () => {
    const prompt = '  一张未来感 AI 产品海报,\r\n🏮 \t';
    expect(requests({ prompt })[0]?.prompt).toBe(prompt);
  });
});

describe('toGenerationRequests: the prompt', () => {
  const refused = (prompt: string) => refusals({ prompt })['input.prompt'];

  it('has 1 to 32,000 characters, as people count them', () => {
    expect(refused('x')).toBeUndefined();
    expect(refused('x'.repeat(MAX_PROMPT_LENGTH))).toBeUndefined();
    expect(refused('🏮'.repeat(MAX_PROMPT_LENGTH))).toBeUndefined();
    expect(refused('x'.repeat(MAX_PROMPT_LENGTH + 1))).toContain('at most 32000');
    expect(refused('🏮'.repeat(MAX_PROMPT_LENGTH + 1))).toContain('at most 32000');
    expect(refused('x'.repeat(10 * MAX_PROMPT_LENGTH))).toContain('at most 32000');
  });

  it('is not empty, nor white space alone', () => {
    for (const prompt of ['', ' ', '\n\t\u3000']) expect(refused(prompt)).toContain('not be empty');
  });

  it('holds what the ledger and the wire can hold', () => {
    expect(refused('a\0b')).toContain('NUL');
    expect(refused('a\ud800b')).toContain('lone surrogate');
    expect(refused('a\udc00')).toContain('lone surrogate');
  });
});

describe('toGenerationRequests: the other fields', () => {
  it('an idempotency key has 1 to 255 printable ASCII characters', () => {
    const refused = (idempotencyKey: string) => 'input.idempotencyKey' in refusals({ idempotencyKey });
    for (const key of ['k', 'k'.repeat(255), 'a key ~!"\'{}:/\\']) expect(refused(key), key).toBe(false);
    for (const key of ['', 'k'.repeat(256), 'a\r\nb', 'a\tb', 'a\0b', 'clé', 'a\u007f']) {
      expect(refused(key), JSON.stringify(key)).toBe(true);
    }
  });

  it('a wait is not negative', () => {
    expect(refusals({ waitSeconds: -1 })).toHaveProperty(['input.waitSeconds']);
    expect(refusals({ waitSeconds: 0 })).toEqual({});
  });

  it('a webhookUrl names a host that is allowed, and is no part of the intent', () => {
    const [plain] = requests();
    const [told] = requests({ webhookUrl: 'https://Hooks.example.com/a/../b' });
    expect(told).toEqual({ ...plain, webhookUrl: 'https://hooks.example.com/b' });
    expect(refusals({ webhookUrl: 'https://other.example.com/', prompt: '' })).toEqual({
      'input.webhookUrl': 'has a host that this gateway does not allow.',
      'input.prompt': 'must not be empty.',
    });
  });

  it('a count is 1 to 10', () => {
    for (const count of [1, 10]) expect(refusals({ count })).toEqual({});
    for (const count of [0, -1, 11, Number.NaN]) expect(refusals({ count })).toHaveProperty(['input.count']);
  });

  it('are refused all at once, each by its path', () => {
    const broken = refusals({ prompt: '', idempotencyKey: '', waitSeconds: -1, count: 11 });
    expect(Object.keys(broken)).toEqual([
      'input.prompt',
      'input.idempotencyKey',
      'input.waitSeconds',
      'input.count',
    ]);
  });
});
