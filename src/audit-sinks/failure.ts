/** What a sink failed with, fit for the log. */
export interface Failure {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

const MAX_LENGTH = 300;

/**
 * A sink is somebody else's code with somebody else's keys: what it throws may carry the request with its headers, or a URL
 * with a password. Only what says what happened goes to the log, without what looks like a secret.
 */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error))
    return { name: typeof error, code: undefined, message: 'It threw no Error.' };
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    code: typeof code === 'string' && /^[\w.-]{1,60}$/.test(code) ? code : undefined,
    message: withoutSecrets(error.message),
  };
}

/** On one line, with URLs cut to their host, and without what follows the words that announce a secret. */
const withoutSecrets = (message: string): string =>
  message
    .slice(0, 10 * MAX_LENGTH)
    .replace(/\s+/g, ' ')
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/@"']*@)?([^\s/?#"']*)[^\s"']*/gi, '$1$2/…')
    .replace(/\b(bearer|basic)\s+\S+/gi, '$1 …')
    .replace(
      /\b([\w-]*(?:authorization|password|secret|token|api[-_]?key|credential)[\w-]*["']?\s*[=:]\s*["']?)[^\s"',;]+/gi,
      '$1…',
    )
    .slice(0, MAX_LENGTH);
