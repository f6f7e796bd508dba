import { type InputIssue, InvalidInputError } from './errors.ts';
import { SCOPES, type Scope } from './generation.ts';

const isScope = (text: string): text is Scope => (SCOPES as readonly string[]).includes(text);

/**
 * The rules of a new API key that types can't state, for the schema and for `gesso keys create`.
 * @throws {InvalidInputError} with every rule that is broken.
 */
export function checkNewApiKey(key: {
  clientName: string;
  scopes: readonly string[];
  imagesPerDay: number | undefined;
}): { clientName: string; scopes: Scope[]; imagesPerDay: number | undefined } {
  const issues: InputIssue[] = [];
  const refuse = (field: string, message: string): void =>
    void issues.push({ path: ['input', field], message });
  if (!/^[^\p{C}]{1,100}$/u.test(key.clientName) || key.clientName.trim() === '') {
    refuse('clientName', 'must have 1 to 100 characters, none of them a control character.');
  }
  const scopes = [...new Set(key.scopes)].filter(isScope);
  const unknown = key.scopes.filter((scope) => !isScope(scope));
  if (unknown.length > 0) refuse('scopes', `must be of ${SCOPES.join(', ')}.`);
  else if (scopes.length === 0) refuse('scopes', 'must not be empty.');
  const { imagesPerDay } = key;
  if (imagesPerDay !== undefined && imagesPerDay < 0) refuse('imagesPerDay', 'must not be negative.');
  if (issues.length > 0) throw new InvalidInputError(issues);
  return { clientName: key.clientName.trim(), scopes, imagesPerDay };
}
