import { expect } from 'vitest';
import { createBetterToken } from '../../src/providers/bettertoken.ts';
import { describeProvider } from '../../src/testing/describe-provider.ts';
import { errorAnswer, imageAnswer } from '../../src/testing/upstream.ts';

describeProvider({
  name: 'bettertoken',
  create: ({ url, apiKey, connections }) =>
    createBetterToken({ apiKey, baseUrl: `${url}/v1`, connections, deadlineMs: 60_000 }),
  success: (picture) => imageAnswer(picture),
  error: (status, message) => errorAnswer(status, { message, type: 'some_type', code: `code: ${message}` }),
  checkRequest(sent, { prompt, size }, apiKey) {
    expect(`${sent.method} ${sent.path}`).toBe('POST /v1/images/generations');
    expect(JSON.parse(sent.body.toString())).toStrictEqual({
      model: 'gpt-image-2',
      prompt,
      n: 1,
      size,
      response_format: 'b64_json',
      output_format: 'png',
    });
    expect(sent.headers).toMatchObject({
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': expect.stringMatching(/^gesso/),
      'content-length': String(sent.body.length),
    });
  },
});
