import {
  AbortedError,
  ContentPolicyError,
  DownloadError,
  ForbiddenError,
  GatewayUnavailableError,
  GenerationCanceledError,
  GenerationNotCancelableError,
  GessoError,
  IdempotencyConflictError,
  InvalidImageError,
  InvalidInputError,
  NetworkError,
  OutcomeUnknownError,
  ProviderRejectedError,
  ProviderUnavailableError,
  QuotaExceededError,
  StorageFailedError,
  UnauthenticatedError,
} from '../client/index.ts';
import { CommandFailure, EXIT, type ExitCode } from './exit-codes.ts';
import { shortId } from './ids.ts';

export interface FailureContext {
  readonly url: string;
  /** How this program is run, for commands in an advice. */
  readonly program: string;
  /** Whether the key is the development key of the data folder. */
  readonly isDevelopmentKey: boolean;
}

/** What to do where a gateway refuses the key. */
export function keyAdvice({ program, isDevelopmentKey }: Omit<FailureContext, 'url'>): string {
  const make = `${program} keys create <name>`;
  return isDevelopmentKey
    ? `It is the development key of this folder: another gateway may be the one that answers there. Name this folder's with --url or GESSO_URL. Else make another key: ${make}`
    : `See GESSO_API_KEY and --api-key-file. A key is made by: ${make}`;
}

/** Of a provider that does not know the gateway's key, or has nothing at its URL: no other request would fare better. */
const NOT_THE_REQUEST = new Set([401, 403, 404]);

/** What the SDK threw, for people: what happened, what to do, and the code to end with. Anything else stays as it is. */
export function gatewayFailure(error: unknown, context: FailureContext): unknown {
  if (!(error instanceof GessoError)) return error;
  if (error instanceof AbortedError && error.cause instanceof CommandFailure) return error.cause;
  const [code, happened, advice] = explained(error, context);
  return new CommandFailure(code, { happened, advice });
}

function explained(
  error: GessoError,
  context: FailureContext,
): readonly [code: ExitCode, happened: string, advice?: string] {
  const { url, program } = context;
  const { message, generation, idempotencyKey } = error;
  const id = generation === undefined ? undefined : shortId(generation.id);
  const details = id === undefined ? '' : ` Details: ${program} audit --generation ${id}`;
  const again = idempotencyKey === undefined ? 'Try again' : `Ask again with --key ${idempotencyKey}`;

  if (error instanceof UnauthenticatedError) {
    return [EXIT.failed, `${url} refuses the API key.`, keyAdvice(context)];
  }
  if (error instanceof ForbiddenError) {
    return [
      EXIT.failed,
      message,
      `A key with more scopes is made by: ${program} keys create <name> --scopes …`,
    ];
  }
  if (error instanceof NetworkError) {
    if (error.notSent) {
      return [
        EXIT.later,
        `Nothing answers at ${url}.`,
        `Start a gateway there (${program} start), or name another one with --url.`,
      ];
    }
    return [EXIT.later, `${message} (${url})`, `${again}: nothing is bought twice.`];
  }
  if (error instanceof GatewayUnavailableError) {
    return [
      EXIT.later,
      `${url} can't take work now: ${message}`,
      `${again} later. Look with: ${program} doctor`,
    ];
  }
  if (error instanceof InvalidInputError) {
    const issues = error.issues.map(({ path, message: rule }) => `${path.slice(1).join('.')} ${rule}`);
    return [EXIT.misused, issues.length === 0 ? message : issues.join(' ')];
  }
  if (error instanceof IdempotencyConflictError) {
    return [
      EXIT.misused,
      message,
      `Use another --key. What this one made: ${program} image ${shortId(error.existingGeneration.id)}`,
    ];
  }
  if (error instanceof QuotaExceededError) {
    return [EXIT.later, message, `The next day begins at ${error.resetAt.toISOString()}.`];
  }
  if (error instanceof ContentPolicyError) {
    return [EXIT.refused, `The provider's policy refused it: ${message}`, 'Change the prompt.'];
  }
  if (error instanceof ProviderRejectedError) {
    const last = generation?.attempts.at(-1);
    if (NOT_THE_REQUEST.has(last?.httpStatus ?? 0)) {
      return [
        EXIT.later,
        `The provider refused the gateway, not the request: ${message}`,
        `The gateway's key or URL for ${last?.provider} is wrong. Its operator mends that; then the same command works.${details}`,
      ];
    }
    return [EXIT.refused, `The provider refused it: ${message}`, `Change the request.${details}`];
  }
  if (error instanceof ProviderUnavailableError) {
    const seconds = error.retryAfterSeconds;
    const when = seconds === undefined ? 'Try again later.' : `Try again in ${seconds} s.`;
    return [EXIT.later, `The provider is not available: ${message}`, `${when}${details}`];
  }
  if (error instanceof OutcomeUnknownError) {
    return [
      EXIT.unknown,
      `It was sent, and no answer came: the image may exist, and may be billed. ${message}`,
      `Asking anew, with another key, may buy a second one.${details}`,
    ];
  }
  if (error instanceof InvalidImageError || error instanceof StorageFailedError) {
    const kept = 'The bytes are kept for the operator; it is likely billed.';
    return [EXIT.failed, message, `${kept} Asking anew buys another one.${details}`];
  }
  if (error instanceof GenerationCanceledError) return [EXIT.failed, message, 'Ask anew.'];
  if (error instanceof GenerationNotCancelableError) {
    return [EXIT.failed, message, `See what became of it: ${program} audit --generation ${id ?? '<id>'}`];
  }
  if (error instanceof DownloadError && id !== undefined) {
    return [EXIT.failed, message, `The image is stored. Get it: ${program} image ${id}`];
  }
  if (error.code === 'GRAPHQL_VALIDATION_FAILED') {
    return [
      EXIT.failed,
      message,
      `${url} is of another version than this command: bring both to the same one.`,
    ];
  }
  if (error.code === 'PERSISTED_QUERY_NOT_IN_LIST') {
    return [
      EXIT.failed,
      `${url} takes only listed documents, and this command's are not in its list.`,
      'Its operator has set GESSO_DOCUMENTS_ONLY. Use a client whose documents are listed, or another gateway: --url.',
    ];
  }
  return [error.retryable ? EXIT.later : EXIT.failed, message];
}
