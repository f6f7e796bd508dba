import { createOpenAI } from '@ai-sdk/openai';
import { expect } from 'vitest';
import { aiSdk } from '../../src/providers/ai-sdk.ts';
import { describeProvider } from '../../src/testing/describe-provider.ts';
import { errorAnswer, imageAnswer } from '../../src/testing/upstream.ts';

describeProvider({
  name: 'ai-sdk, with a model of OpenAI',
  // The AI SDK hands a picture over when it has all of it; ai-sdk-pictures.test.ts shows what bounds it.
  streams: false,
  create: ({ url, apiKey, connections }) =>
    aiSdk({
      name: 'ai-sdk',
      model: ({ fetch }) => createOpenAI({ apiKey, baseURL: `${url}/v1`, fetch }).image('gpt-image-2'),
      sizes: ['auto', '1024x1024', '1536x1024'],
      canvas: 'size',
      connections,
    }),
  success: (picture) => imageAnswer(picture),
  error: (status, message) => errorAnswer(status, { message, type: 'some_type', code: `code: ${message}` }),
  checkRequest(sent, { prompt, size }, apiKey) {
    expect(`${sent.method} ${sent.path}`).toBe('POST /v1/images/generations');
    expect(JSON.parse(sent.body.toString())).toStrictEqual({
      model: 'gpt-image-2',
      prompt,
      n: 1,
      ...(size === 'auto' ? {} : { size }),
    });
    expect(sent.headers.authorization).toBe(`Bearer ${apiKey}`);
  },
});
