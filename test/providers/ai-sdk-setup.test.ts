import { inspect } from 'node:util';
import { createFal } from '@ai-sdk/fal';
import type { ImageModelV4 } from '@ai-sdk/provider';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ProviderFailure } from '../../src/errors.ts';
import { type AiSdkOptions, aiSdk } from '../../src/providers/ai-sdk.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { failureOf } from '../../src/testing/upstream.ts';
import { API_KEY, type RunningVendor, startVendor, vendorOf } from './ai-sdk-vendors.ts';

const open: (RunningVendor | Provider)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  vi.unstubAllEnvs();
});
async function startFal() {
  const upstream = await startVendor(vendorOf('fal'));
  open.push(upstream);
  return upstream;
}
function providerOf(options: Pick<AiSdkOptions, 'model'> & Partial<AiSdkOptions>): Provider {
  const provider = aiSdk({ name: 'test', sizes: ['1024x1024'], canvas: 'size', ...options });
  open.push(provider);
  return provider;
}
const failure = async (provider: Provider) => {
  const request = { prompt: 'a gesso ground', size: '1024x1024' } as const;
  const { signal } = new AbortController();
  return (await failureOf(provider.generate(request, { signal, requestId: 'request-1' }))) as ProviderFailure;
};

describe('a configuration that the package refuses', () => {
  it('is the operator’s to mend, and nothing was sent', async () => {
    vi.stubEnv('FAL_API_KEY', undefined);
    vi.stubEnv('FAL_KEY', undefined);
    const upstream = await startFal();
    const withoutKey = providerOf({
      model: ({ fetch }) => createFal({ baseURL: upstream.url, fetch }).image('fal-ai/flux/dev'),
    });
    const wrongOption = providerOf({
      model: ({ fetch }) => vendorOf('black-forest-labs').model(upstream.url, fetch),
      providerOptions: { blackForestLabs: { steps: 'many' } },
    });
    for (const provider of [withoutKey, wrongOption]) {
      expect(await failure(provider)).toMatchObject({ outcome: 'REJECTED', rejection: 'OPERATOR' });
    }
    expect((await failure(withoutKey)).message).toContain('FAL_API_KEY');
    expect(upstream.requests).toEqual([]);
  });

  it('is told without the key that no header can carry', async () => {
    const provider = providerOf({
      model: ({ fetch }) => createFal({ apiKey: `${API_KEY}\n`.repeat(2), fetch }).image('fal-ai/flux/dev'),
    });
    const error = await failure(provider);
    expect(error).toMatchObject({ outcome: 'REJECTED', rejection: 'OPERATOR' });
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(API_KEY);
  });

  it('is told in the words of the package, though it is not known whether it had sent', async () => {
    const model = (): ImageModelV4 => ({
      specificationVersion: 'v4',
      provider: 'test.image',
      modelId: 'test-1',
      maxImagesPerCall: 1,
      doGenerate: async () => {
        throw new Error('This model is no longer supported.');
      },
    });
    const error = await failure(providerOf({ model }));
    expect(error).toMatchObject({ outcome: 'UNKNOWN' });
    expect(error.message).toContain('This model is no longer supported.');
  });
});
