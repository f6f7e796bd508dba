import { describe, expect, it } from 'vitest';
import { isFinalRefusal, refusesByPolicy } from '../../src/providers/ai-sdk/content-policy.ts';

describe('a refusal by content policy', () => {
  it.each<[string, object]>([
    ['OpenAI', { error: { code: 'moderation_blocked', message: 'Rejected.' } }],
    ['fal', { detail: [{ loc: ['body', 'prompt'], msg: 'Flagged.', type: 'content_policy_violation' }] }],
    ['a model on fal', { detail: { error: 'content_policy_violation', message: 'A public figure.' } }],
    ['Replicate', { status: 'failed', error: 'NSFW content detected. Try running it again.' }],
    ['Luma', { state: 'failed', failure_reason: 'Frame moderation failed' }],
    ['Black Forest Labs', { status: 'Content Moderated', result: null }],
  ])('is known as %s says it', (_vendor, said) => {
    expect(refusesByPolicy(said)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a wrong field', { detail: [{ loc: ['body', 'seed'], msg: 'Not a number.', type: 'int_parsing' }] }],
    ['a failed job', { status: 'failed', error: 'CUDA out of memory' }],
    ['a prompt that is repeated', { status: 'failed', error: 'Oh.', input: { error: 'NSFW content' } }],
    ['a text', 'moderation failed'],
    ['nothing', undefined],
  ])('is not seen in %s', (_name, said) => {
    expect(refusesByPolicy(said)).toBe(false);
  });

  it('is final in a poll only when the job has ended', () => {
    expect(isFinalRefusal({ status: 'Request Moderated' })).toBe(true);
    expect(isFinalRefusal({ state: 'failed', failure_reason: 'Advanced prompt moderation failed' })).toBe(
      true,
    );
    expect(isFinalRefusal({ status: 'processing', error: 'moderation failed once, trying again' })).toBe(
      false,
    );
    expect(isFinalRefusal({ status: 'failed', error: 'CUDA out of memory' })).toBe(false);
  });
});
