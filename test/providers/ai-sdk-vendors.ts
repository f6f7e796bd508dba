import { createBlackForestLabs } from '@ai-sdk/black-forest-labs';
import { createFal } from '@ai-sdk/fal';
import { createLuma } from '@ai-sdk/luma';
import { createOpenAI } from '@ai-sdk/openai';
import { createReplicate } from '@ai-sdk/replicate';
import type { AiSdkOptions, ImageModel } from '../../src/providers/ai-sdk.ts';
import {
  answering,
  errorAnswer,
  imageAnswer,
  type RecordedRequest,
  type Respond,
  startUpstream,
  type WireAnswer,
} from '../../src/testing/upstream.ts';

export const API_KEY = 'secret-of-the-vendor-0123456789';

/** One vendor of the AI SDK: its real package, and its API as its documents say. */
export interface Vendor {
  readonly name: string;
  /** The vendor's package, pointed at `url`. */
  model(url: string, fetch?: typeof globalThis.fetch): ImageModel;
  readonly options: Pick<AiSdkOptions, 'sizes' | 'canvas' | 'providerOptions'>;
  /** The path of the paid call. */
  readonly path: string;
  /** The header that carries the key, as it must be sent. */
  readonly authorization: Readonly<Record<string, string>>;
  /** What the paid call says of a square canvas, in its body. */
  readonly square: object;
  /** The answer to the paid call: a job, or all of it. */
  submitted(url: string, picture: Buffer): WireAnswer;
  /** The answer to a poll; undefined where there is none. */
  readonly poll: ((url: string, done: boolean) => WireAnswer) | undefined;
  readonly wrongKey: WireAnswer;
  /** A prompt that the vendor's policy refuses: in the answer to the paid call, or in a poll. */
  readonly refused: { readonly submitted?: WireAnswer; readonly poll?: WireAnswer };
}

export const json = (status: number, body: object, headers: Record<string, string> = {}): WireAnswer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(body)),
});

const PICTURE_PATH = '/pictures/1.png';
const SQUARE = { sizes: ['1024x1024'], canvas: 'size' } as const;
const SQUARE_RATIO = { sizes: ['1024x1024'], canvas: 'aspectRatio' } as const;

/** https://fal.ai/docs/model-endpoints/synchronous-requests, https://docs.fal.ai/errors */
const fal: Vendor = {
  name: 'fal',
  model: (baseURL, fetch) =>
    createFal({ apiKey: API_KEY, baseURL, ...(fetch && { fetch }) }).image('fal-ai/flux/dev'),
  options: SQUARE,
  path: '/fal-ai/flux/dev',
  authorization: { authorization: `Key ${API_KEY}` },
  square: { image_size: { width: 1024, height: 1024 }, num_images: 1 },
  submitted: (url) =>
    json(200, {
      images: [{ url: `${url}${PICTURE_PATH}`, width: 64, height: 64, content_type: 'image/png' }],
      timings: { inference: 1.2 },
      seed: 7,
      has_nsfw_concepts: [false],
      prompt: 'a gesso ground',
    }),
  poll: undefined,
  wrongKey: json(401, { detail: 'Authentication is required to access this application.' }),
  refused: {
    submitted: json(422, {
      detail: [
        {
          loc: ['body', 'prompt'],
          msg: 'The content could not be processed because it contained material flagged by a content checker.',
          type: 'content_policy_violation',
          url: 'https://docs.fal.ai/errors#content_policy_violation',
          input: { prompt: 'a gesso ground' },
        },
      ],
    }),
  },
};

/** https://replicate.com/docs/reference/http */
const prediction = (url: string, fields: object) => ({
  id: 'p1',
  model: 'black-forest-labs/flux-schnell',
  input: { prompt: 'a gesso ground' },
  logs: '',
  output: null,
  error: null,
  created_at: '2026-10-01T10:00:00.000Z',
  urls: { get: `${url}/predictions/p1`, cancel: `${url}/predictions/p1/cancel` },
  ...fields,
});
const replicate: Vendor = {
  name: 'replicate',
  model: (baseURL, fetch) =>
    createReplicate({ apiToken: API_KEY, baseURL, ...(fetch && { fetch }) }).image(
      'black-forest-labs/flux-schnell',
    ),
  options: { ...SQUARE_RATIO, providerOptions: { replicate: { pollIntervalMillis: 5 } } },
  path: '/models/black-forest-labs/flux-schnell/predictions',
  authorization: { authorization: `Bearer ${API_KEY}` },
  square: { input: { aspect_ratio: '1:1', num_outputs: 1 } },
  submitted: (url) => json(201, prediction(url, { status: 'starting' })),
  poll: (url, done) =>
    json(
      200,
      prediction(
        url,
        done ? { status: 'succeeded', output: [`${url}${PICTURE_PATH}`] } : { status: 'processing' },
      ),
    ),
  wrongKey: json(401, {
    title: 'Unauthenticated',
    detail: 'You did not pass a valid authentication token',
    status: 401,
  }),
  refused: {
    poll: json(
      200,
      prediction('http://replicate.example', {
        status: 'failed',
        error: 'The input or output was flagged as sensitive. Please try again with different inputs. (E005)',
      }),
    ),
  },
};

/** https://docs.lumalabs.ai/reference/generateimage, https://docs.lumalabs.ai/docs/errors */
const luma: Vendor = {
  name: 'luma',
  model: (baseURL, fetch) =>
    createLuma({ apiKey: API_KEY, baseURL, ...(fetch && { fetch }) }).image('photon-1'),
  options: { ...SQUARE_RATIO, providerOptions: { luma: { pollIntervalMillis: 5 } } },
  path: '/dream-machine/v1/generations/image',
  authorization: { authorization: `Bearer ${API_KEY}` },
  square: { aspect_ratio: '1:1', model: 'photon-1' },
  submitted: () => json(201, { id: 'g1', generation_type: 'image', state: 'queued', failure_reason: null }),
  poll: (url, done) =>
    json(
      200,
      done
        ? { id: 'g1', state: 'completed', failure_reason: null, assets: { image: `${url}${PICTURE_PATH}` } }
        : { id: 'g1', state: 'dreaming', failure_reason: null, assets: null },
    ),
  wrongKey: json(403, { detail: 'Not authenticated' }),
  refused: {
    poll: json(200, {
      id: 'g1',
      state: 'failed',
      failure_reason: 'Advanced prompt moderation failed',
      assets: null,
    }),
  },
};

/** https://docs.bfl.ai/api_integration/integration_guidelines, https://docs.bfl.ai/api_integration/errors */
const blackForestLabs: Vendor = {
  name: 'black-forest-labs',
  model: (url, fetch) =>
    createBlackForestLabs({
      apiKey: API_KEY,
      baseURL: `${url}/v1`,
      pollIntervalMillis: 5,
      ...(fetch && { fetch }),
    }).image('flux-pro-1.1'),
  options: SQUARE_RATIO,
  path: '/v1/flux-pro-1.1',
  authorization: { 'x-key': API_KEY },
  square: { aspect_ratio: '1:1' },
  submitted: (url) => json(200, { id: 't1', polling_url: `${url}/v1/get_result?id=t1`, cost: 4 }),
  poll: (url, done) =>
    json(
      200,
      done
        ? { id: 't1', status: 'Ready', result: { sample: `${url}${PICTURE_PATH}`, seed: 7, duration: 2.5 } }
        : { id: 't1', status: 'Pending', result: null },
    ),
  wrongKey: json(403, { detail: 'Not authenticated - Invalid Authentication' }),
  refused: {
    poll: json(200, {
      id: 't1',
      status: 'Request Moderated',
      result: null,
      details: { 'Moderation Reasons': ['Derivative Works Filter'] },
    }),
  },
};

/** https://developers.openai.com/api/reference/resources/images */
const openai: Vendor = {
  name: 'openai',
  model: (baseURL, fetch) =>
    createOpenAI({ apiKey: API_KEY, baseURL, ...(fetch && { fetch }) }).image('gpt-image-2'),
  options: SQUARE,
  path: '/images/generations',
  authorization: { authorization: `Bearer ${API_KEY}` },
  square: { size: '1024x1024', n: 1 },
  submitted: (_url, picture) => imageAnswer(picture),
  poll: undefined,
  wrongKey: errorAnswer(401, {
    message: 'Incorrect API key provided: secret-o*****6789.',
    type: 'invalid_request_error',
    param: null,
    code: 'invalid_api_key',
  }),
  refused: {
    submitted: errorAnswer(400, {
      message: 'Your request was rejected by the safety system.',
      type: 'image_generation_user_error',
      param: null,
      code: 'moderation_blocked',
    }),
  },
};

export const VENDORS: readonly Vendor[] = [fal, replicate, luma, blackForestLabs, openai];
export const vendorOf = (name: string): Vendor => {
  const vendor = VENDORS.find((candidate) => candidate.name === name);
  if (vendor === undefined) throw new Error(`There is no vendor ${name}.`);
  return vendor;
};

/** What a vendor's API does; what is left out goes well. */
export interface Script {
  readonly picture?: Buffer;
  readonly submit?: Respond;
  readonly poll?: Respond;
  readonly download?: Respond;
}

/** A real server that answers as the vendor's documents say: two polls find the job under way, the third its end. */
export async function startVendor(vendor: Vendor, script: Script = {}) {
  const { picture = Buffer.from('no picture') } = script;
  let polls = 0;
  const upstream = await startUpstream(answering(json(500, {})));
  const isPaid = ({ method }: RecordedRequest) => method === 'POST';
  const download = answering({ status: 200, headers: { 'content-type': 'image/png' }, body: picture });
  upstream.answerWith((request, response) => {
    if (isPaid(request)) {
      return (script.submit ?? answering(vendor.submitted(upstream.url, picture)))(request, response);
    }
    if (request.path.startsWith(PICTURE_PATH)) return (script.download ?? download)(request, response);
    if (vendor.poll === undefined) throw new Error(`${vendor.name} is not polled.`);
    polls += 1;
    return (script.poll ?? answering(vendor.poll(upstream.url, polls >= 3)))(request, response);
  });
  return {
    ...upstream,
    /** How many pictures were asked for, and so billed. */
    paidCalls: () => upstream.requests.filter(isPaid),
    polls: () => polls,
  };
}
export type RunningVendor = Awaited<ReturnType<typeof startVendor>>;

/** Answers with a part of what was announced, and closes the connection. */
export const cut =
  (answer: WireAnswer): Respond =>
  (_request, response) => {
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.write(answer.body.subarray(0, -3), () => response.socket?.destroy());
  };

/** Never answers. */
export const silence: Respond = () => new Promise<void>(() => {});
