import { v7 as uuidv7 } from 'uuid';
import type { Database } from './database.ts';

/** An application that calls Gesso. Its keys share its generations and its idempotency keys. */
export interface Client {
  readonly id: string;
  readonly name: string;
}

/** The client of this name, made if there is none. */
export async function ensureClient(db: Database, name: string, now: Date): Promise<Client> {
  await db
    .insertInto('clients')
    .values({ id: uuidv7(), name, createdAt: now })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return db.selectFrom('clients').select(['id', 'name']).where('name', '=', name).executeTakeFirstOrThrow();
}

/** The clients with these ids, in any order. */
export function clientsById(db: Database, ids: readonly string[]): Promise<Client[]> {
  return db.selectFrom('clients').select(['id', 'name']).where('id', 'in', ids).execute();
}
