import {
  APICallError,
  type ImageModelV4,
  type ImageModelV4CallOptions,
  type ImageModelV4Result,
} from '@ai-sdk/provider';
import type { ProviderFailure } from '../../src/errors.ts';
import { type AiSdkOptions, aiSdk } from '../../src/providers/ai-sdk.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { plainPicture } from '../../src/sandbox/sandbox.ts';
import {
  answering,
  failureOf,
  type Respond,
  readAll,
  startUpstream,
  type Upstream,
} from '../../src/testing/upstream.ts';

export const PNG = plainPicture({ width: 1024, height: 1024 });
export const drawn = answering({ status: 200, headers: { 'content-type': 'image/png' }, body: PNG });

/** Upstreams and providers of one test file, to be closed after each test. */
export function createBench() {
  const open: (Pick<Upstream, 'close'> | Provider)[] = [];
  const add = <One extends (typeof open)[number]>(one: One): One => {
    open.push(one);
    return one;
  };
  return {
    start: async (respond: Respond): Promise<Upstream> => add(await startUpstream(respond)),
    providerOf: (model: AiSdkOptions['model'], more: Partial<AiSdkOptions> = {}): Provider =>
      add(aiSdk({ name: 'test', model, sizes: ['1024x1024'], canvas: 'size', ...more })),
    async close() {
      for (const one of open.splice(0).reverse()) await one.close();
    },
  };
}

/** Draws, and reads the picture. */
export async function generate(
  provider: Provider,
  prompt = 'a gesso ground',
  signal = new AbortController().signal,
): Promise<Buffer> {
  const request = { prompt, size: '1024x1024' } as const;
  return readAll((await provider.generate(request, { signal, requestId: 'request-1' })).picture);
}

/** What a generation fails with. */
export const failure = async (provider: Provider, prompt?: string, signal?: AbortSignal) =>
  (await failureOf(generate(provider, prompt, signal))) as ProviderFailure;

/** The bodies that an upstream got. */
export const bodiesOf = ({ requests }: Pick<Upstream, 'requests'>): string[] =>
  requests.map(({ body }) => String(body));

/** A model that somebody wrote by hand. */
export const handMade = (draw: ImageModelV4['doGenerate']): ImageModelV4 => ({
  specificationVersion: 'v4',
  provider: 'test.image',
  modelId: 'test-1',
  maxImagesPerCall: 1,
  doGenerate: draw,
});

/** One call, whose answer is the picture; fails with the errors of the SDK, as a vendor's package does. */
export async function post(
  fetch: typeof globalThis.fetch,
  url: string,
  prompt: string | undefined,
  signal: ImageModelV4CallOptions['abortSignal'],
): Promise<ImageModelV4Result> {
  const requestBodyValues = { prompt };
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(requestBodyValues),
    signal: signal ?? null,
  });
  if (!response.ok) {
    throw new APICallError({
      message: 'Refused.',
      url,
      requestBodyValues,
      statusCode: response.status,
      responseBody: await response.text(),
    });
  }
  return {
    images: [new Uint8Array(await response.arrayBuffer())],
    warnings: [],
    response: { timestamp: new Date(), modelId: 'test-1', headers: undefined },
  };
}

/** One job at a time; the next is started by the end of the one before, as rate limiters do. */
export function createQueue() {
  const jobs: (() => void)[] = [];
  let isBusy = false;
  const next = () => {
    const job = jobs.shift();
    isBusy = job !== undefined;
    job?.();
  };
  return {
    waiting: () => jobs.length,
    run: <Result>(work: () => PromiseLike<Result>): Promise<Result> =>
      new Promise((resolve, reject) => {
        jobs.push(() => {
          Promise.resolve(work()).then(resolve, reject).finally(next);
        });
        if (!isBusy) next();
      }),
  };
}
