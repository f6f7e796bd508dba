import { sql } from 'kysely';
import { FencedError } from '../errors.ts';
import { auditRow, insertAuditEvents } from './audit.ts';
import type { Database, DatabaseTransaction } from './database.ts';
import { CHANNELS } from './notifications.ts';
import type { Queue } from './queue.ts';
import { storable } from './rows.ts';
import type { Run } from './run.ts';
import { createWriteBatch } from './write-batch.ts';

/** Where a run sends its generation. */
export interface Reroute {
  /** The next provider. */
  readonly provider: string;
  readonly model: string | undefined;
  /** The whole route from now on, the next provider in it. */
  readonly route: readonly string[];
  /** Why its provider was given up, for the audit trail. */
  readonly reason: string;
}

export interface ReroutesOptions {
  readonly db: Database;
  readonly queue: Queue;
  readonly now: () => Date;
  /** Told with the NOTIFY, so that a replica knows its own word. */
  readonly replicaId: string;
}

interface Item {
  readonly run: Run;
  readonly to: Reroute;
}

/** Of a run that may move its generation: from the provider that it is at. */
interface Owned extends Item {
  readonly from: string;
}

/**
 * Hands generations over to the next provider of their route: one transaction moves the generation and its job, under the
 * fence of the run that gave up. Before its commit the run may be taken over, at the provider that it has; after it, any
 * replica begins at the next one, and whoever still thinks that it runs the generation can write nothing.
 *
 * The job is moved rather than made anew, so that its claims go on being counted: a claim that was handed out before, however
 * late its holder wakes, is lower than what is left in `runner`, and begins nothing.
 */
export function createReroutes({ db, queue, now, replicaId }: ReroutesOptions) {
  const batch = createWriteBatch<Item, boolean>({
    compare: (a, b) => (a.run.generation.id < b.run.generation.id ? -1 : 1),
    write: (items) => db.transaction().execute((transaction) => rerouteAll(transaction, items)),
  });

  async function rerouteAll(transaction: DatabaseTransaction, items: readonly Item[]): Promise<boolean[]> {
    const runs = items.map(({ run }) => ({ id: run.generation.id, runner: run.runner }));
    const { rows } = await sql<{ id: string; runner: string; provider: string }>`
      select g.id, g.runner, g.provider from generations g
      join json_to_recordset(${JSON.stringify(runs)}::json) as i (id uuid, runner text) on i.id = g.id
      where g.runner = i.runner and g.status = 'RUNNING' order by g.id for update of g`.execute(transaction);
    const providers = new Map(rows.map(({ id, runner, provider }) => [`${id} ${runner}`, provider]));
    const owned = new Map<Item, Owned>();
    for (const item of items) {
      // A run that has lost its generation may stand beside the one that has it now, and a run there twice.
      const key = `${item.run.generation.id} ${item.run.runner}`;
      const from = providers.get(key);
      if (from !== undefined) owned.set(item, { ...item, from });
      providers.delete(key);
    }
    if (owned.size > 0) {
      const moves = [...owned.values()];
      const claims = await queue.move(
        transaction,
        moves.map(({ run, to, from }) => ({ id: run.generation.id, from, to: to.provider })),
      );
      await write(transaction, moves, claims);
    }
    return items.map((item) => owned.has(item));
  }

  async function write(
    transaction: DatabaseTransaction,
    owned: readonly Owned[],
    claims: ReadonlyMap<string, number>,
  ): Promise<void> {
    const at = now();
    const input = owned.map(({ run, to }) => ({
      id: run.generation.id,
      runner: `rerouted:${claims.get(run.generation.id)}`,
      provider: to.provider,
      model: to.model ?? null,
      route: to.route,
    }));
    const lines = owned.map(({ run, to, from }) => {
      const { id: generationId, clientId } = run.generation;
      const message = storable(`From ${from} to ${to.provider}: ${to.reason}`);
      const { requestId } = run;
      return auditRow({ action: 'GENERATION_REROUTED', requestId, clientId, generationId, message }, at);
    });
    await sql`
      with input as (
        select * from json_populate_recordset(null::generations, ${JSON.stringify(input)}::json)
      ), moved as (
        update generations g
        set status = 'QUEUED', runner = i.runner, provider = i.provider, model = i.model, route = i.route
        from input i where g.id = i.id returning g.id
      ), logged as (${insertAuditEvents(lines)})
      select pg_notify(${CHANNELS.jobs}, ${replicaId}), pg_notify(${CHANNELS.changes}, id::text) from moved`.execute(
      transaction,
    );
  }

  return {
    /**
     * Resolves once the generation waits for its next provider.
     * @throws {FencedError} when another run owns the generation, or it has ended, or this was done before.
     */
    async reroute(run: Run, to: Reroute): Promise<void> {
      if (await batch.add({ run, to })) return;
      throw new FencedError(`Generation ${run.generation.id} is run by another replica now, or has ended.`);
    },
    settle: () => batch.settle(),
  };
}
