import type { ImageModelV3, ImageModelV4, JSONObject } from '@ai-sdk/provider';
import { ConfigError, InvalidPictureError, ProviderFailure } from '../errors.ts';
import { answerOf } from './ai-sdk/answer.ts';
import { type CanvasOptions, createCanvases } from './ai-sdk/canvas.ts';
import { AbortedError, lastStatusOf, openExchange } from './ai-sdk/exchange.ts';
import { outcomeOf } from './ai-sdk/outcome.ts';
import { withPatience } from './ai-sdk/patience.ts';
import { createRedactors } from './ai-sdk/redact.ts';
import { createTransport, type TransportOptions } from './ai-sdk/transport.ts';
import { type AnswerLimits, DEFAULT_LIMITS } from './openai-wire/answer.ts';
import type { Provider } from './provider.ts';

/** An image model of the Vercel AI SDK, of specification 3 (AI SDK 6) or 4 (AI SDK 7). */
export type ImageModel = ImageModelV3 | ImageModelV4;

export interface AiSdkOptions extends CanvasOptions {
  /** Unique among the providers; lowercase letters, digits and hyphens. */
  readonly name: string;
  /**
   * The model, or better a function that makes it with the `fetch` that it is given: only by that one can be told whether a
   * failed call had been sent, only that one has no limit of 300 s, and only by that one are keys known, so that what a
   * vendor says can be shown without them. With a model that is made already, a call that was not answered is `UNKNOWN`.
   *
   * @example ({ fetch }) => createFal({ apiKey, fetch }).image('fal-ai/flux/dev')
   */
  readonly model: ImageModel | ((transport: { readonly fetch: typeof globalThis.fetch }) => ImageModel);
  /** Sent with every call as it is, by vendor: `{ fal: { outputFormat: 'png' } }`. Ask for PNG where you can. */
  readonly providerOptions?: Readonly<Record<string, JSONObject>>;
  /** Sent with every call: the same prompt then gives the same picture, of vendors that know it. */
  readonly seed?: number;
  /** Calls at once to one host. @default as many as generations are open */
  readonly connections?: number;
  /** What an answer may cost, in bytes; what is larger counts as an answer without a picture. @default 256 and 128 MiB */
  readonly limits?: Partial<Pick<AnswerLimits, 'maxBodyBytes' | 'maxPictureBytes'>>;
  /** How the hosts are resolved that pictures are fetched from. @default as the system does */
  readonly lookup?: TransportOptions['lookup'];
  /** The clock for dates in `Retry-After`, in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

const VERSIONS: readonly unknown[] = ['v3', 'v4'];

/**
 * Turns an image model of the Vercel AI SDK into a provider. The model is called itself, once, and not by the SDK's
 * `generateImage`, which would call again, and pay again, by itself.
 *
 * The picture is held in memory while it arrives, as the SDK hands it over. A PNG is kept byte for byte; another format is
 * converted to PNG. That, every warning of the SDK, and a picture of another size than was asked for are reported in
 * `metadata().warnings`.
 *
 * @throws {ConfigError} where the model is of another specification, or a size is not one of Gesso's.
 */
export function aiSdk(options: AiSdkOptions): Provider {
  const { name, sizes, canvas, seed, now } = options;
  const canvases = createCanvases(name, options);
  const { maxBodyBytes, maxPictureBytes } = { ...DEFAULT_LIMITS, ...options.limits };
  const transport = createTransport({
    connections: options.connections,
    maxBodyBytes,
    lookup: options.lookup,
  });
  const model = checked(
    name,
    typeof options.model === 'function' ? options.model({ fetch: transport.fetch }) : options.model,
  );
  const providerOptions = withPatience(model.provider, options.providerOptions ?? {});
  const redactOf = createRedactors();
  let closed = false;

  return {
    name,
    models: [model.modelId],
    sizes,

    async generate({ prompt, size }, { signal, requestId }) {
      const drawn = canvases.get(size);
      if (drawn === undefined) {
        throw new ProviderFailure(`${name}: it does not draw ${size}.`, { outcome: 'REJECTED' });
      }
      if (closed || signal.aborted) {
        throw new ProviderFailure(`${name}: not sent.`, {
          outcome: 'NOT_ACCEPTED',
          providerCode: 'ABORTED',
          cause: signal.reason,
        });
      }
      const exchange = openExchange(prompt, signal);
      const toFailure = (error: unknown) =>
        outcomeOf(error, exchange, {
          provider: name,
          redact: redactOf(exchange.secrets),
          usesOurFetch: typeof options.model === 'function',
          now,
        });
      try {
        const result = await transport.run(exchange, () =>
          model.doGenerate({
            prompt,
            n: 1,
            ...drawn,
            seed,
            files: undefined,
            mask: undefined,
            providerOptions,
            headers: { 'x-request-id': requestId },
            abortSignal: exchange.signal,
          }),
        );
        const httpStatus = lastStatusOf(exchange) ?? 200;
        if (result.images.length === 0) {
          throw new InvalidPictureError(`${name}: answered, but with no picture.`, { httpStatus });
        }
        return answerOf(result, {
          httpStatus,
          model: result.response.modelId || model.modelId,
          size,
          canvas,
          maxPictureBytes,
          redact: redactOf(exchange.secrets),
          // Whoever stops reading has a call that is answered, and paid.
          checkAborted() {
            if (signal.aborted) {
              throw toFailure(new AbortedError('The call was aborted.', { cause: signal.reason }));
            }
          },
          toFailure,
        });
      } catch (error) {
        // Its calls may still wait for a socket: none of them may go out once it is said that none did.
        exchange.abort(new AbortedError('The call has failed.'));
        throw error instanceof InvalidPictureError ? error : toFailure(error);
      } finally {
        exchange.release();
      }
    },

    async close() {
      closed = true;
      await transport.close();
    },
  };
}

/** The types say so too; but the configuration may be plain JavaScript, or its packages of another year. */
function checked(name: string, model: ImageModel): ImageModel {
  const given: unknown = model;
  const version =
    typeof given === 'object' && given !== null && 'specificationVersion' in given
      ? given.specificationVersion
      : undefined;
  if (VERSIONS.includes(version) && typeof model.doGenerate === 'function') return model;
  throw new ConfigError(
    version === undefined
      ? `The model of the provider "${name}" is no image model of the AI SDK.`
      : `The model of the provider "${name}" is of specification ${String(version)} of the AI SDK; v3 and v4 are known.`,
  );
}
