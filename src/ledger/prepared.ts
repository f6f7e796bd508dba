import { createHash } from 'node:crypto';
import pg from 'pg';

/** How many statements a connection keeps prepared; what comes after is sent whole each time. */
const MAX_PREPARED = 100;
/** A text that came less often is not worth a place: it may be one of many that differ in their parameters' number. */
const WORTH_PREPARING_AFTER = 3;

const seen = new Map<string, number>();
const names = new Map<string, string>();

/**
 * The name of a statement that is worth preparing; undefined for any other. One that returns whatever columns there
 * are is none: it would fail from the moment when a replica of the next version adds a column.
 */
function nameOf(text: string): string | undefined {
  if (/^select (\S+\.)?\*|returning \*/.test(text)) return undefined;
  const name = names.get(text);
  if (name !== undefined) return name;
  if (names.size >= MAX_PREPARED || seen.size >= 10 * MAX_PREPARED) return undefined;
  const times = (seen.get(text) ?? 0) + 1;
  seen.set(text, times);
  if (times < WORTH_PREPARING_AFTER) return undefined;
  seen.delete(text);
  const made = `gesso_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  names.set(text, made);
  return made;
}

/**
 * A client that prepares the statements it sends again and again. Ours are few and long, and planning one takes
 * PostgreSQL longer than running it.
 */
export class PreparingClient extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: node-postgres has ten overloads of it, and all are passed on
  override query(...[first, values, ...rest]: any[]): any {
    // Without parameters a text may hold several statements, which can't be prepared.
    const name = typeof first === 'string' && values?.length > 0 ? nameOf(first) : undefined;
    const send = super.query.bind(this) as (...all: unknown[]) => unknown;
    if (name === undefined) return send(first, values, ...rest);
    return send({ name, text: first, values }, ...rest);
  }
}
