import { EnvelopArmorPlugin } from '@escape.tech/graphql-armor';
import { useDisableIntrospection } from '@graphql-yoga/plugin-disable-introspection';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  OperationTypeNode,
  type SubscriptionArgs,
} from 'graphql';
import type { OperationResult, SubscribePayload } from 'graphql-ws';
import { createYoga, type Plugin, type YogaInitialContext } from 'graphql-yoga';
import type { Context } from '../schema/context.ts';
import { useDocumentCache } from './document-cache.ts';
import { useEventStreams } from './event-streams.ts';
import { useGetParameters } from './get-parameters.ts';
import { useHiddenSuggestions } from './hide-suggestions.ts';
import { useImageBudget } from './image-budget.ts';
import { createMaskError } from './mask-error.ts';
import { useParsableNesting } from './nesting.ts';
import { createPersistedDocuments } from './persisted-documents.ts';
import { checkManifest, type Manifest } from './persisted-manifest.ts';

export interface GraphqlOptions {
  readonly schema: GraphQLSchema;
  readonly production: boolean;
  readonly imagesPerOperation: number;
  /** Documents that are found by their identifiers from the start on. */
  readonly manifest: Manifest | undefined;
  /** Whether no other document is run. */
  readonly manifestOnly: boolean;
  readonly onUnexpected: (error: unknown) => void;
}

/** What carries out a subscription, with every plug-in around it. */
export interface SubscriptionRoot {
  readonly subscribe: (args: SubscriptionArgs) => OperationResult;
}

/** What one document may be, well above what Relay and a portal send. */
const MAX_TOKENS = 2_000;
const MAX_DEPTH = 15;
const MAX_ALIASES = 30;
const MAX_DIRECTIVES = 30;
const MAX_COST = 50_000;

/** Shown in GraphiQL at first. */
const FIRST_QUERY = `# Welcome to Gesso. Put your API key under "Headers":
#   { "Authorization": "Bearer <your key>" }
# The first start printed one, and keeps it in .gesso/development-key.
# Then press the button. The second time, the same idempotencyKey
# is answered with the same image: replayed, and not bought again.

mutation FirstImage {
  generateImage(
    input: {
      prompt: "A lighthouse on a cliff at dawn, gouache, soft light"
      size: LANDSCAPE_1536X1024
      idempotencyKey: "my-first-image"
    }
  ) {
    __typename
    ... on GenerateImageSuccess {
      replayed
      image {
        url
        width
        height
        altText
        rendition(transform: { maxWidth: 640, format: WEBP }) {
          url
          width
          height
        }
      }
      generation {
        id
        attempts {
          number
          outcome
          requestId
        }
      }
    }
    ... on GenerationPending {
      generation {
        id
        status
      }
    }
    ... on UserError {
      message
      retryable
    }
  }
}
`;

/**
 * The GraphQL endpoint, given a context that was made before: who calls is known before anything is parsed.
 * @throws {ConfigError} for a manifest with a document that can't be run.
 */
export function createGraphql(options: GraphqlOptions) {
  const { schema, production, imagesPerOperation, manifest, manifestOnly, onUnexpected } = options;
  const persisted = createPersistedDocuments({
    trusted: manifest?.documents ?? new Map(),
    trustedOnly: manifestOnly,
  });
  const yoga = createYoga<Context>({
    schema,
    graphqlEndpoint: '/graphql',
    // The listener answers for these: see app.ts.
    landingPage: false,
    cors: false,
    multipart: false,
    batching: false,
    // Unexpected errors are logged by maskError; Yoga's own log would print them a second time.
    logging: false,
    // See document-cache.ts.
    parserAndValidationCache: false,
    // The page is served whole from here: a gateway without a way to the internet has its GraphiQL too.
    async renderGraphiQL(page) {
      const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
      // The page is an application of the window's size; what sticks out by a pixel must not make it scroll.
      return renderGraphiQL(page).replace('</head>', '<style>html, body { overflow: hidden }</style></head>');
    },
    graphiql:
      production || manifestOnly
        ? false
        : { title: 'Gesso', defaultQuery: FIRST_QUERY, credentials: 'same-origin' },
    maskedErrors: { maskError: createMaskError(onUnexpected), isDev: false },
    plugins: [
      useGetParameters(),
      // First of all, so that every other sees the text.
      persisted.plugin,
      EnvelopArmorPlugin({
        maxTokens: { n: MAX_TOKENS },
        maxDepth: { n: MAX_DEPTH },
        // Left to itself it doesn't count those of `__typename`.
        maxAliases: { n: MAX_ALIASES, allowList: [] },
        maxDirectives: { n: MAX_DIRECTIVES },
        costLimit: { maxCost: MAX_COST },
        // It overlooks those of enums and inputs: see hide-suggestions.ts.
        blockFieldSuggestion: { enabled: false },
      }) as Plugin,
      useImageBudget(imagesPerOperation),
      production ? useHiddenSuggestions() : {},
      useDisableIntrospection({ isDisabled: (request) => production && !known.has(request) }),
      useParsableNesting(),
      useEventStreams(),
      // Last of all, so that it knows every rule.
      useDocumentCache(),
    ],
  });
  const known = new WeakSet<Request>();
  const enveloped = (context: Context) => yoga.getEnveloped(context as Context & YogaInitialContext);

  /** Parsed and validated as every document is, with the limits of what one may be; or what is wrong with it. */
  function read(
    textOf: () => string,
    { schema, parse, validate }: ReturnType<typeof enveloped>,
  ): DocumentNode | readonly GraphQLError[] {
    try {
      const document: DocumentNode = parse(textOf());
      const errors: readonly GraphQLError[] = validate(schema, document);
      return errors.length > 0 ? errors : document;
    } catch (error) {
      if (error instanceof GraphQLError) return [error];
      throw error;
    }
  }

  if (manifest !== undefined) {
    checkManifest(manifest, (text) => {
      const checked = read(() => text, enveloped({} as Context));
      return 'kind' in checked ? [] : checked;
    });
  }

  return {
    async handle(request: Request, context: Context): Promise<Response> {
      if (context.principal !== undefined) known.add(request);
      return yoga.handleRequest(request, context as Context & Record<string, unknown>);
    },
    /**
     * A subscription that came by another way than HTTP, checked by the same rules: what `subscribe` takes, with the
     * functions to call as its root value, or what is wrong with it.
     */
    async subscription(
      payload: SubscribePayload,
      context: Context,
    ): Promise<(SubscriptionArgs & { rootValue: SubscriptionRoot }) | readonly GraphQLError[]> {
      const execution = enveloped(context);
      const { schema, contextFactory, subscribe } = execution;
      const { variables, operationName } = payload;
      const document = read(() => String(persisted.withText(payload, context).query), execution);
      if (!('kind' in document)) return document;
      if (getOperationAST(document, operationName)?.operation !== OperationTypeNode.SUBSCRIPTION) {
        const message = 'A WebSocket carries subscriptions; send queries and mutations over HTTP.';
        return [new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } })];
      }
      return {
        schema,
        document,
        operationName: operationName ?? null,
        variableValues: variables ?? null,
        contextValue: await contextFactory(),
        rootValue: { subscribe } satisfies SubscriptionRoot,
      };
    },
    dispose: () => yoga.dispose(),
  };
}

export type Graphql = ReturnType<typeof createGraphql>;
