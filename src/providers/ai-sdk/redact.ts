import { createRedactor, type Redactor } from '../openai-wire/redact.ts';

export type Redact = Pick<Redactor, 'secret' | 'text' | 'error'>;

/** Keys are few; tokens that are renewed by the hour must not fill the memory. */
const MAX_REDACTORS = 16;

/** Redactors for several secrets, kept from call to call. Undefined where no secret is known. */
export function createRedactors(): (secrets: ReadonlySet<string>) => Redact | undefined {
  const redactors = new Map<string, Redactor>();
  const redactorOf = (secret: string): Redactor => {
    const redactor = redactors.get(secret) ?? createRedactor(secret);
    redactors.delete(secret);
    redactors.set(secret, redactor);
    const [oldest] = redactors.keys();
    if (redactors.size > MAX_REDACTORS && oldest !== undefined) redactors.delete(oldest);
    return redactor;
  };
  return (secrets) => {
    if (secrets.size === 0) return undefined;
    const all = [...secrets].map(redactorOf);
    // Cut by the last one only: a key that is cut in the middle is no longer found.
    const text: Redact['text'] = (line, maxLength) =>
      all.reduce((shown, redactor, index) => {
        return redactor.text(shown, index === all.length - 1 ? maxLength : Number.MAX_SAFE_INTEGER);
      }, line);
    return {
      secret: (line) => all.reduce((shown, redactor) => redactor.secret(shown), line),
      text,
      error(error) {
        const source = error instanceof Error ? error : new Error(String(error));
        const copy = new Error(text(source.message, 500));
        copy.name = text(source.name, 100);
        return copy;
      },
    };
  };
}
