import { IMAGE_SIZES } from '../generation.ts';
import { createImageProvider, type ImageProviderOptions } from './openai-wire/image-provider.ts';
import type { Provider } from './provider.ts';

export interface BetterTokenOptions extends Omit<ImageProviderOptions, 'baseUrl'> {
  /** What it is called here; for a second account, or another region. @default 'bettertoken' */
  readonly name?: string;
  /** @default 'https://www.bettertoken.ai/v1' */
  readonly baseUrl?: string;
}

/**
 * BetterToken: one synchronous call, the picture in `data[0].b64_json` of the same answer.
 *
 * @see https://docs.bettertoken.ai/llms.txt
 */
export const createBetterToken = ({
  name = 'bettertoken',
  baseUrl = 'https://www.bettertoken.ai/v1',
  ...options
}: BetterTokenOptions): Provider =>
  createImageProvider(
    {
      name,
      models: ['gpt-image-2'],
      sizes: IMAGE_SIZES,
      toBody: ({ prompt, size }, model) => ({
        model,
        prompt,
        // "Do not rely on a single request with n > 1."
        n: 1,
        size,
        response_format: 'b64_json',
        // "Do not rely on output_format: jpeg or webp": those may bring PNG all the same.
        output_format: 'png',
      }),
    },
    { ...options, baseUrl },
  );
