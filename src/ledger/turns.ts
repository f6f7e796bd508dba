import { sql } from 'kysely';
import { QUEUE_SCHEMA } from './boss.ts';
import type { Database } from './database.ts';
import { QUEUE_PREFIX } from './queue.ts';
import type { Job } from './run.ts';

/** A client that has something open at a provider. */
export interface Claimant {
  readonly provider: string;
  readonly clientId: string;
  /** Generations that replicas are at work on, this one included. */
  readonly running: number;
  /** Whether generations wait to be begun. */
  readonly waits: boolean;
  /** Generations that were begun, and were given back or lost by who had them. */
  readonly lost: number;
}

/** How many jobs of a claimant to take: that many at most of those that were not begun yet, and of the lost ones. */
export interface Grant {
  readonly provider: string;
  readonly clientId: string;
  readonly fresh: number;
  readonly lost: number;
}

const JOBS = sql.raw(`${QUEUE_SCHEMA}.job`);
const NOW = sql.raw(`${QUEUE_SCHEMA}.job_now()`);

/**
 * Who waits at which provider, and taking the jobs of those whose turn it is. pg-boss can leave clients out of a fetch,
 * but not take these of one and those of another: `take` is its fetch, for jobs that are named.
 */
export function createTurns(db: Database) {
  return {
    /**
     * Everybody who has something open, at whichever provider. A skip scan: it costs a look at the index for each of
     * them, however many generations wait.
     */
    async claimants(): Promise<Claimant[]> {
      const { rows } = await sql<Claimant>`
        with recursive waiting as (
          (select provider, client_id from generations where status = 'QUEUED' order by provider, client_id limit 1)
          union all
          select next.provider, next.client_id from waiting w, lateral (
            select provider, client_id from generations
            where status = 'QUEUED' and (provider, client_id) > (w.provider, w.client_id)
            order by provider, client_id limit 1
          ) next
        ), begun as (
          select provider, client_id, count(*)::integer as begun from generations where status = 'RUNNING' group by 1, 2
        ), lost as (
          select g.provider, g.client_id, count(*)::integer as lost
          from ${JOBS} j join generations g on g.id = j.id and g.status = 'RUNNING'
          where j.state = 'retry' and j.name = any(array(select ${QUEUE_PREFIX} || provider from begun)) group by 1, 2
        )
        select provider, client_id, waits is not null as waits, coalesce(lost, 0) as lost,
          coalesce(begun, 0) - coalesce(lost, 0) as running
        from (select *, true as waits from waiting) w
          full join begun using (provider, client_id) left join lost using (provider, client_id)
        order by provider, client_id`.execute(db);
      return rows;
    },

    /** Takes the jobs of these claimants, those first that were made first; fewer where there are no more. */
    async take(grants: readonly Grant[]): Promise<Job[]> {
      const wanted = grants.map(({ clientId, ...grant }) => ({ ...grant, client_id: clientId }));
      /**
       * The first ones of a claimant that nobody else is taking right now. Compared as rows, and not column by column:
       * only the index of turns can be read so, and no statistics tempt the planner to read all of history in another.
       */
      const first = (status: 'QUEUED' | 'RUNNING', limit: 'fresh' | 'lost') => sql`
        select own.name, own.id from wanted w, lateral (
          select job.name, job.id from generations g, lateral (
            select j.name, j.id from ${JOBS} j
            where j.name = ${QUEUE_PREFIX} || w.provider and j.id = g.id and j.state < 'active' for update skip locked
          ) job
          where g.status = ${sql.lit(status)}
            and (g.provider, g.client_id) >= (w.provider, w.client_id)
            and (g.provider, g.client_id) <= (w.provider, w.client_id)
          order by g.provider, g.client_id, g.id limit ${sql.ref(`w.${limit}`)}
        ) own`;
      const { rows } = await sql<Job>`
        with wanted as (
          select * from json_to_recordset(${JSON.stringify(wanted)}::json)
            as w (provider text, client_id uuid, fresh integer, lost integer)
        ), next as (
          ${first('QUEUED', 'fresh')} union all ${first('RUNNING', 'lost')}
        )
        update ${JOBS} j
        set state = 'active', started_on = ${NOW}, heartbeat_on = ${NOW},
          retry_count = case when j.started_on is null then j.retry_count else j.retry_count + 1 end
        where j.name = any(array(select name from next)) and j.id = any(array(select id from next))
        returning j.id, j.retry_count, substr(j.name, ${QUEUE_PREFIX.length + 1}) as provider,
          j.group_id as client_id`.execute(db);
      return rows;
    },
  };
}

export type Turns = ReturnType<typeof createTurns>;
