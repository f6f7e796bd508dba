import type { WireAnswer } from '../../src/testing/upstream.ts';

/**
 * A success with every field that the reference lists for a PNG.
 *
 * @see https://developers.openai.com/api/reference/resources/images/methods/generate
 */
export const documentedAnswer = (picture: Buffer, extra: Record<string, unknown> = {}): WireAnswer => ({
  status: 200,
  headers: {
    'content-type': 'application/json',
    'openai-organization': 'org-1',
    'openai-processing-ms': '11234',
    'openai-version': '2020-10-01',
    'x-request-id': 'req_00000000000000000000000000000001',
    'x-ratelimit-remaining-requests': '49',
  },
  body: Buffer.from(
    JSON.stringify(
      {
        created: 1763900000,
        background: 'opaque',
        data: [{ b64_json: picture.toString('base64'), ...extra }],
        output_format: 'png',
        quality: 'high',
        safety_identifier: null,
        size: '1024x1024',
        usage: {
          input_tokens: 50,
          input_tokens_details: { image_tokens: 0, text_tokens: 50 },
          output_tokens: 4160,
          output_tokens_details: { image_tokens: 4160, text_tokens: 0 },
          total_tokens: 4210,
        },
      },
      null,
      2,
    ),
  ),
});

const INVALID = 'invalid_request_error';

/**
 * What the API answers, by what a gateway can do about it. Codes of billing and of limits are those of the guide
 * (https://developers.openai.com/api/docs/guides/error-codes); bodies are as they were reported where a line says so.
 */
export const documentedError = {
  refusals: [
    {
      status: 400,
      // https://github.com/jeffstric/ZJT/issues/480
      message: 'Your request was rejected by the safety system. safety_violations=[violence].',
      type: 'image_generation_user_error',
      param: '',
      code: 'moderation_blocked',
    },
    {
      status: 400,
      message: 'Your request was rejected as a result of our safety system.',
      type: INVALID,
      param: null,
      code: 'content_policy_violation',
    },
  ],
  operators: [
    {
      status: 401,
      message: 'Incorrect API key provided.',
      type: INVALID,
      param: null,
      code: 'invalid_api_key',
    },
    {
      status: 401,
      message: 'Your IP is not authorized.',
      type: INVALID,
      param: null,
      code: null,
    },
    {
      status: 403,
      message: 'Country, region, or territory not supported',
      type: 'request_forbidden',
      param: null,
      code: 'unsupported_country_region_territory',
    },
    {
      // https://github.com/openai-php/client/issues/565
      status: 403,
      message: 'Your organization must be verified to use the model `gpt-image-2`.',
      type: INVALID,
      param: null,
      code: null,
    },
    {
      status: 404,
      message: 'The model `gpt-image-2` does not exist or you do not have access to it.',
      type: INVALID,
      param: null,
      code: 'model_not_found',
    },
    {
      // https://github.com/vercel/ai/issues/6102
      status: 400,
      message: "Unknown parameter: 'response_format'.",
      type: INVALID,
      param: 'response_format',
      code: 'unknown_parameter',
    },
    {
      status: 400,
      message: 'Transparent background is not supported for this model.',
      type: INVALID,
      param: 'background',
      code: 'invalid_value',
    },
    {
      // https://github.com/dfinke/PowerShellAI/issues/127
      status: 400,
      message: 'Billing hard limit has been reached',
      type: INVALID,
      param: null,
      code: 'billing_hard_limit_reached',
    },
    ...[
      'credit_balance_exhausted',
      'organization_spend_limit_exceeded',
      'project_spend_limit_exceeded',
      'organization_usage_limit_exceeded',
      'insufficient_quota',
    ].map((code) => ({
      status: 429,
      message: 'You exceeded your current quota, please check your plan and billing details.',
      type: 'insufficient_quota',
      param: null,
      code,
    })),
    {
      // A code that is newer than this file, told by its type.
      status: 429,
      message: 'You have reached a limit.',
      type: 'insufficient_quota',
      param: null,
      code: 'team_spend_limit_exceeded',
    },
    {
      // https://github.com/BerriAI/litellm/issues/2743
      status: 429,
      message: 'Your account is not active, please check your billing details on our website.',
      type: 'billing_not_active',
      param: null,
      code: 'billing_not_active',
    },
  ],
  requests: [
    { status: 400, message: 'Too long.', type: INVALID, param: 'prompt', code: 'string_above_max_length' },
    { status: 400, message: 'Invalid size.', type: INVALID, param: 'size', code: 'invalid_value' },
    { status: 400, message: 'Malformed.', type: INVALID, param: null, code: null },
  ],
  passing: [
    {
      status: 429,
      message: 'Rate limit reached.',
      type: 'requests',
      param: null,
      code: 'rate_limit_exceeded',
    },
    { status: 429, message: 'Slow down.', type: 'rate_limit_error', param: null, code: 'slow_down' },
    {
      status: 503,
      message: 'The engine is currently overloaded, please try again later',
      type: 'service_unavailable_error',
      param: null,
      code: 'server_is_overloaded',
    },
  ],
  unknown: [
    {
      status: 500,
      message: 'The server had an error while processing your request',
      type: 'server_error',
      param: null,
      code: null,
    },
  ],
};
