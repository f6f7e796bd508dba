import { describe, expect, it } from 'vitest';
import { makeGeneration, makeImage, NOON } from '../../src/testing/made-up.ts';
import { payloadOf } from '../../src/webhooks/payload.ts';

const options = {
  globalId: (typename: string, id: string) => `${typename}/${id}`,
  imageUrl: () => 'https://images.example.com/signed.png',
};
const FAILURE = {
  code: 'PROVIDER_UNAVAILABLE',
  message: 'Every attempt failed.',
  providerCode: 'overloaded',
  retryable: true,
  retryAfterSeconds: 3,
} as const;

describe('the payload of a webhook', () => {
  it('tells of an image, and where it is', () => {
    const image = makeImage();
    expect(payloadOf(makeGeneration(), image, options)).toEqual({
      type: 'generation.succeeded',
      timestamp: NOON.toISOString(),
      data: {
        id: `Generation/${image.generationId}`,
        status: 'SUCCEEDED',
        idempotencyKey: 'key-1',
        failure: null,
        image: {
          id: `Image/${image.id}`,
          url: 'https://images.example.com/signed.png',
          width: 64,
          height: 48,
          contentType: 'image/png',
          byteSize: 1234,
          sha256: 'f'.repeat(64),
        },
      },
    });
  });

  it.each([
    ['FAILED', 'generation.failed'],
    ['UNKNOWN', 'generation.unknown'],
  ] as const)('tells of an end that is %s why, and nothing that is not told by the API', (status, type) => {
    const payload = payloadOf(makeGeneration({ status, failure: FAILURE }), undefined, options);
    expect(payload).toMatchObject({
      type,
      data: {
        status,
        failure: { code: 'PROVIDER_UNAVAILABLE', message: 'Every attempt failed.' },
        image: null,
      },
    });
    expect(Object.keys(payload.data.failure ?? {})).toEqual(['code', 'message']);
  });

  it('tells of a cancel', () => {
    const canceled = makeGeneration({ status: 'CANCELED', idempotencyKey: undefined });
    expect(payloadOf(canceled, undefined, options)).toMatchObject({
      type: 'generation.canceled',
      data: { status: 'CANCELED', idempotencyKey: null, failure: null, image: null },
    });
  });

  it('tells of a success whose image was removed by age', () => {
    expect(payloadOf(makeGeneration(), makeImage({ removedAt: NOON }), options)).toMatchObject({
      type: 'generation.succeeded',
      data: { image: null },
    });
  });

  it('is not made of a generation that goes on', () => {
    const running = makeGeneration({ status: 'RUNNING', finishedAt: undefined });
    expect(() => payloadOf(running, undefined, options)).toThrow('has not ended');
  });

  it('stays small, as Standard Webhooks advises, whatever the prompt', () => {
    const generation = makeGeneration({ prompt: 'x'.repeat(32_000), idempotencyKey: 'k'.repeat(255) });
    expect(JSON.stringify(payloadOf(generation, makeImage(), options)).length).toBeLessThan(2_000);
  });
});
