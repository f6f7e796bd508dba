import { GraphQLError } from 'graphql';
import {
  ForbiddenError,
  GatewayError,
  GatewayUnavailableError,
  InvalidInputError,
  NotFoundError,
  TooManySubscriptionsError,
  UnauthenticatedError,
} from '../errors.ts';

/** The HTTP status of an error that reaches the top of an answer. */
function statusOf(error: unknown): number {
  if (error instanceof UnauthenticatedError) return 401;
  if (error instanceof ForbiddenError) return 403;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof TooManySubscriptionsError) return 429;
  if (error instanceof GatewayUnavailableError) return 503;
  if (error instanceof InvalidInputError) return 400;
  return 500;
}

/** What concerns one subscription is an answer: its status shows in the new media type only, not in event streams. */
const isAnswer = (error: unknown): boolean =>
  error instanceof NotFoundError || error instanceof TooManySubscriptionsError;

/** Errors that clients may read as they are: they were thrown on purpose, for them. */
const isForClients = (error: unknown): error is GatewayError =>
  error instanceof GatewayError && statusOf(error) !== 500;

/**
 * Also of another copy of graphql, as a plug-in may bring one along: its class is another one. It is told by what every
 * release of graphql calls it.
 */
const isGraphqlError = (error: unknown): error is GraphQLError =>
  error instanceof GraphQLError ||
  (error instanceof Error && error.name === 'GraphQLError' && 'extensions' in error && 'locations' in error);

/**
 * What a client sees of a top-level error: a code, and a message only if it was meant for clients. Everything
 * else is logged whole and masked.
 */
export function createMaskError(onUnexpected: (error: unknown) => void) {
  return function maskError(error: unknown): GraphQLError {
    const original = isGraphqlError(error) ? error.originalError : error;
    // GraphQL's own: syntax, validation, variables, and what plug-ins refused. Not the error inside, which doesn't say
    // which variable it is about.
    const isOwn = !(original instanceof Error) || isGraphqlError(original);
    if (isGraphqlError(error) && isOwn) return refusal(error);
    const place = isGraphqlError(error) ? placeOf(error) : {};
    if (isForClients(original)) {
      const extensions = {
        code: original.code,
        http: { status: statusOf(original), spec: isAnswer(original) },
      };
      return new GraphQLError(original.message, { ...place, extensions });
    }
    onUnexpected(original);
    return new GraphQLError('The gateway failed unexpectedly.', {
      ...place,
      extensions: { code: 'INTERNAL_SERVER_ERROR', http: { status: 500 } },
    });
  };
}

/** Of GraphQL itself, or of a plug-in: said as it is, but always with a code. */
function refusal(error: GraphQLError): GraphQLError {
  const { originalError, ...extensions } = error.extensions;
  if (originalError !== undefined) {
    // Yoga would send back the whole body that was no JSON, and more than once.
    return new GraphQLError(error.message, { extensions: { ...extensions, http: { status: 400 } } });
  }
  if (extensions.code !== undefined) return error;
  return new GraphQLError(error.message, {
    ...placeOf(error),
    // `spec`: 400 in the new media type only; in application/json it stays the 200 that old clients know.
    extensions: { code: 'BAD_REQUEST', http: { spec: true, status: 400 }, ...extensions },
  });
}

const placeOf = ({ nodes, source, positions, path }: GraphQLError) => ({
  nodes: nodes ?? null,
  source: source ?? null,
  positions: positions ?? null,
  path: path ?? null,
});
