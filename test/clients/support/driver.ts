import type {
  BriefResult,
  GenerateImageInput,
  GenerateImageResult,
  GenerationSeen,
  Operation,
} from './operations.ts';

/** One GraphQL client, driven as its own manual says. A test file of it calls `describeClient` with this. */
export interface ClientDriver {
  readonly name: string;
  /** Whether it keeps what it read by id, so that one operation shows what another learnt. */
  readonly cached: boolean;
  /** The ways in which it subscribes in ordinary use. */
  readonly transports: readonly Transport[];
  open(options: SessionOptions): Session | Promise<Session>;
}

export type Transport = 'WebSocket' | 'server-sent events';

export interface SessionOptions {
  /** Of `/graphql`. */
  readonly url: string;
  /** Undefined: the client sends none. */
  readonly key: string | undefined;
  /** What the client sends by; the tests see there what it sent. */
  readonly fetch: typeof fetch;
}

/** A client that was set up for one API key. Everything rejects with the client's own errors: see `errorOf`. */
export interface Session {
  generateImage(input: GenerateImageInput): Promise<GenerateImageResult>;
  /** Only with a fragment on the interface `UserError`. */
  generateImageBriefly(input: GenerateImageInput): Promise<BriefResult>;
  /** By `node(id:)`, from the gateway and not from a cache. */
  refetch(id: string): Promise<GenerationSeen | null>;
  /** The first page of the caller's generations, in the client's own way of paging. */
  list(pageSize: number): Promise<GenerationList>;
  /** A view of `generation(id:)` that stays open: what a component of a page would show. Only of clients with a cache. */
  watch?(id: string): Promise<Watched>;
  subscribe?(id: string, transport: Transport): AsyncIterable<GenerationSeen>;
  /** Sends any query. */
  query<Result, Variables extends object>(
    operation: Operation<Result, Variables>,
    variables: Variables,
  ): Promise<Result>;
  /** What the client shows of top-level errors, in its own error type; undefined for anything else. */
  errorOf(error: unknown): ErrorSeen | undefined;
  close(): void | Promise<void>;
}

export interface ErrorSeen {
  readonly message: string;
  /** `extensions.code` */
  readonly code: string;
  /** Where the client tells it. */
  readonly httpStatus?: number;
}

export interface GenerationList {
  /** All pages that were loaded, as the list shows them now. */
  now(): readonly GenerationSeen[];
  hasNext(): boolean;
  loadNext(): Promise<void>;
  close(): void;
}

export interface Watched {
  /** What is shown now; null where there is no such generation. */
  now(): GenerationSeen | null;
  close(): void;
}

/** The code and the message of an entry in `errors`. */
export function errorSeen(
  errors:
    | readonly { readonly message: string; readonly extensions?: Record<string, unknown> | undefined }[]
    | undefined,
  httpStatus?: number,
): ErrorSeen | undefined {
  const [error] = errors ?? [];
  if (error === undefined) return undefined;
  const seen = { message: error.message, code: String(error.extensions?.code) };
  return httpStatus === undefined ? seen : { ...seen, httpStatus };
}
