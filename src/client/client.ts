import { getOperationAST } from 'graphql';
import { createConnection } from './connection.ts';
import { UnauthenticatedError } from './errors.ts';
import { follow } from './follow.ts';
import { generateImage, generateImages, imageOf, startGeneration } from './generate.ts';
import { type Generation, toGeneration, toRecord } from './generation.ts';
import { GeneratedImage } from './image.ts';
import {
  type AuditFilter,
  auditEvents,
  type GenerationFilter,
  generations,
  type ListOptions,
} from './lists.ts';
import {
  CancelGenerationDocument,
  GenerationDocument,
  ImageDocument,
  type ImageSize,
  type ProviderStatus,
  ProvidersDocument,
  ViewerDocument,
} from './operations.generated.ts';
import type {
  CallOptions,
  ClientOptions,
  GenerateImageRequest,
  GenerateImagesRequest,
  WaitForSeveralOptions,
  WaitOptions,
} from './options.ts';
import { errorOfResult } from './results.ts';
import type { TypedDocumentNode } from './typed-document.ts';

/** What became of a wish to cancel. */
export interface Cancellation {
  /** In its final state. */
  readonly generation: Generation;
  /** A call had been sent before: the provider may make the image all the same, and bill it. */
  readonly mayBeBilled: boolean;
}

/** Who is calling. */
export interface Viewer {
  readonly client: { readonly id: string; readonly name: string };
  readonly scopes: readonly string[];
  /** Images of the UTC day; undefined where the API key has no limit. */
  readonly quota: { readonly limit: number; readonly remaining: number; readonly resetAt: Date } | undefined;
}

/** A configured provider. */
export interface ProviderInfo {
  readonly name: string;
  /** The first is the default. */
  readonly models: readonly string[];
  readonly sizes: readonly ImageSize[];
  readonly status: ProviderStatus;
  /** When the last call to it ended. */
  readonly checkedAt: Date | undefined;
}

export type GessoClient = ReturnType<typeof createClient>;

/**
 * A client of one gateway. Every call takes an `AbortSignal`, and throws a `GessoError` of its own class for each thing
 * that can go wrong.
 * @throws {TypeError | RangeError} for options that can't be.
 */
export function createClient(options: ClientOptions = {}) {
  const connection = createConnection(options);

  return {
    /**
     * Makes one image and waits for it, over lost connections too; one call never buys twice. Without a key it makes
     * one. After an abort or an error the generation may go on in the gateway: the error has the `idempotencyKey`.
     */
    generateImage: (request: GenerateImageRequest, options: WaitOptions = {}) =>
      generateImage(connection, request, options),

    /** Makes several images of one prompt; results in order, each with its image or its error. */
    generateImages: (request: GenerateImagesRequest, options: WaitForSeveralOptions = {}) =>
      generateImages(connection, request, options),

    /** Starts a generation and does not wait for it. */
    startGeneration: (request: GenerateImageRequest, options: CallOptions = {}) =>
      startGeneration(connection, request, options),

    /** The image of a generation, when it ends. Throws what `generateImage` would. */
    waitForGeneration: (id: string, options: WaitOptions = {}) =>
      imageOf(connection, id, { replayed: true, ...options }),

    /** The generation as it is now, then every change until it ends, over lost connections too. */
    async *watchGeneration(
      id: string,
      options: CallOptions = {},
    ): AsyncGenerator<Generation, void, undefined> {
      for await (const fields of follow(connection, id, options)) yield toGeneration(fields, connection);
    },

    /** Stops a generation that is queued or running. */
    async cancelGeneration(id: string, options: CallOptions = {}): Promise<Cancellation> {
      const { cancelGeneration: result } = await connection.retrying(
        () => connection.send(CancelGenerationDocument, { input: { id } }, options),
        options,
      );
      if (result.__typename !== 'CancelGenerationSuccess') throw errorOfResult(result, connection);
      return { generation: toGeneration(result.generation, connection), mayBeBilled: result.mayBeBilled };
    },

    /** Undefined where there is none that the caller may see. */
    async generation(id: string, options: CallOptions = {}): Promise<Generation | undefined> {
      const { generation } = await connection.read(GenerationDocument, { id }, options);
      return generation === null ? undefined : toGeneration(generation, connection);
    },

    /** Undefined where there is none that the caller may see. */
    async image(id: string, options: CallOptions = {}): Promise<GeneratedImage | undefined> {
      const { image } = await connection.read(ImageDocument, { id }, options);
      if (image === null) return undefined;
      return new GeneratedImage(image, {
        generation: toRecord(image.generation),
        replayed: true,
        connection,
      });
    },

    /** Newest first, page by page as they are read. */
    generations: (list: ListOptions<GenerationFilter> = {}, options: CallOptions = {}) =>
      generations(connection, list, options),

    /** Newest first, page by page as they are read. Needs the scope `audit:read`. */
    auditEvents: (list: ListOptions<AuditFilter> = {}, options: CallOptions = {}) =>
      auditEvents(connection, list, options),

    async viewer(options: CallOptions = {}): Promise<Viewer> {
      const { viewer } = await connection.read(ViewerDocument, {}, options);
      if (viewer === null) throw new UnauthenticatedError('This needs an API key.');
      const { client, scopes, quota } = viewer;
      return {
        client,
        scopes,
        quota: quota === null ? undefined : { ...quota, resetAt: new Date(quota.resetAt) },
      };
    },

    async providers(options: CallOptions = {}): Promise<ProviderInfo[]> {
      const { providers } = await connection.read(ProvidersDocument, {}, options);
      return (providers ?? []).map(({ checkedAt, ...provider }) => ({
        ...provider,
        checkedAt: checkedAt === null ? undefined : new Date(checkedAt),
      }));
    },

    /**
     * Sends a query or mutation of one's own, with the same transport and errors. Queries are tried again when the
     * network fails; mutations are sent once, because only their author knows whether twice is harmless.
     */
    request<Result, Variables extends object>(
      document: TypedDocumentNode<Result, Variables>,
      variables: Variables,
      options: CallOptions = {},
    ): Promise<Result> {
      const isQuery = getOperationAST(document)?.operation === 'query';
      return isQuery
        ? connection.read(document, variables, options)
        : connection.send(document, variables, options);
    },
  };
}
