const REDACTED = '[redacted]';

/** Anything that looks like somebody's key: `sk-…`, also half masked, and what follows an authorization scheme. */
const TOKENS = /\bsk[-_][\w.*…-]{4,}|\b(?:bearer|basic)(?:\s|%20|\+)+[^\s"',;}]{4,}/gi;

/** Shorter encodings would match ordinary words. */
const MIN_ENCODED_CHARACTERS = 8;

export interface Redactor {
  /** Takes the secret out of a text: as it is, percent-, JSON-, HTML- or hex-escaped, and within base64. */
  secret(text: string): string;
  /**
   * Makes a text from upstream fit for messages and logs: one line, no control or invisible characters, no secret,
   * nothing that looks like a key, at most `maxLength` UTF-16 code units.
   */
  text(text: string, maxLength: number): string;
  /** A copy of an error that holds its name, code and message, redacted, and nothing else that hangs on it. */
  error(error: unknown): Error;
}

/** Knows one secret, and never lets it out: neither by a property nor by `util.inspect`. */
export const createRedactor = (secret: string): Redactor => {
  const pattern = new RegExp(spellings(secret).join('|'), 'gi');

  const redactSecret = (text: string) => text.replace(pattern, REDACTED);
  const redactText = (text: string, maxLength: number) => {
    const line = text
      .toWellFormed()
      // Invisible characters could split a key in two, and turn the direction of a log line.
      .replace(/\p{Cf}+/gu, '')
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim();
    // Cut last: a key that is cut in the middle is no longer found.
    const redacted = redactSecret(line).replace(TOKENS, REDACTED);
    return redacted.length <= maxLength ? redacted : `${redacted.slice(0, maxLength - 1).toWellFormed()}…`;
  };

  return {
    secret: redactSecret,
    text: redactText,
    error(error) {
      const source = error instanceof Error ? error : new Error(String(error));
      const copy = new Error(redactText(source.message, 500));
      copy.name = redactText(source.name, 100);
      const code = 'code' in source ? source.code : undefined;
      return typeof code === 'string' ? Object.assign(copy, { code: redactText(code, 100) }) : copy;
    },
  };
};

/** Patterns for every way in which an echo may spell the secret. */
const spellings = (secret: string): readonly string[] => {
  const bytes = Buffer.from(secret);
  const encoded = [bytes.toString('hex'), ...base64Cores(bytes)]
    .flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')])
    .filter((text) => text.length >= MIN_ENCODED_CHARACTERS);
  return [secret, ...new Set(encoded)].map((text) => Array.from(text, spellingOf).join(''));
};

/** One character: itself, `%2F`, `%252F`, `\/`, `\u002F`, `\\u002F`, `\x2F`, `&#47;` or `&#x2F;`. */
const spellingOf = (character: string): string => {
  const code = character.charCodeAt(0);
  const hex = code.toString(16).padStart(2, '0');
  return `(?:\\\\{0,4}${escapeForRegExp(character)}|%(?:25){0,3}${hex}|\\\\{1,4}(?:u00|x)${hex}|&#0{0,4}${code};|&#x0{0,4}${hex};)`;
};

const escapeForRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/**
 * The characters that base64 surely contains when the secret stands anywhere in what was encoded: once for each
 * place its first byte can have in a group of three.
 */
const base64Cores = (bytes: Buffer): readonly string[] =>
  [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)),
  );
