import type { Attempt } from '../generation.ts';
import type { AuditEvent } from '../ledger/audit.ts';
import { AttemptRef } from './attempt.ts';
import { builder } from './builder.ts';
import { ClientRef } from './client.ts';
import { connectionOf } from './connection.ts';
import type { Context } from './context.ts';
import { AuditActionEnum } from './enums.ts';
import { GenerationRef, generationOf } from './generation.ts';
import { localIdOrNobody } from './generations.ts';
import { inOrder } from './ids.ts';
import { connectionTypes } from './relay-words.ts';

const AuditEventRef = builder.loadableNodeRef('AuditEvent', {
  id: { resolve: (event: AuditEvent) => event.id },
  load: (ids: string[], { read }: Context): Promise<AuditEvent[]> => inOrder(ids, read.auditEventsById),
});

builder.objectType(AuditEventRef, {
  description: 'One line of the append-only audit trail.',
  fields: (t) => ({
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When it happened.' }),
    action: t.expose('action', { type: AuditActionEnum, description: 'What happened.' }),
    client: t.field({
      type: ClientRef,
      nullable: true,
      description: 'Whose doing it was.',
      resolve: ({ clientId }) => clientId,
    }),
    requestId: t.exposeString('requestId', {
      description: 'Correlates with logs and the `X-Request-Id` response header.',
    }),
    generation: t.field({
      type: GenerationRef,
      nullable: true,
      description: 'The generation it is about, where it is on record and the caller may see it.',
      resolve: ({ generationId }) => generationId,
    }),
    attempt: t.loadable({
      type: AttemptRef,
      nullable: true,
      description: 'Which call upstream it is about, where the caller may see its generation.',
      async load(keys: string[], context) {
        const wanted = keys.map((key) => key.split(' ') as [string, string]);
        const attempts = await visibleAttempts(
          wanted.map(([generationId]) => generationId),
          context,
        );
        return wanted.map(
          ([generationId, id]) => attempts.get(generationId)?.find((a) => a.id === id) ?? null,
        ) as Attempt[];
      },
      resolve: ({ generationId, attemptId }) =>
        generationId === undefined || attemptId === undefined ? null : `${generationId} ${attemptId}`,
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'Details for people; null where the action says all.',
    }),
  }),
});

/** Attempts of those generations that the caller may see; who may read the trail may not see every generation. */
async function visibleAttempts(generationIds: readonly string[], context: Context) {
  const unique = [...new Set(generationIds)];
  const visible = await Promise.all(unique.map((id) => generationOf(context, id)));
  return context.read.attemptsOf(visible.filter((generation) => generation !== null).map(({ id }) => id));
}

const AuditFilterInput = builder.inputType('AuditFilterInput', {
  description: 'Which lines to list; what is left out does not matter.',
  fields: (t) => ({
    actions: t.field({ type: [AuditActionEnum], description: 'Any of these.' }),
    clientId: t.id({ description: 'Of this client.' }),
    generationId: t.id({ description: 'About this generation.' }),
    occurredFrom: t.field({ type: 'DateTime', description: 'At or after.' }),
    occurredUntil: t.field({ type: 'DateTime', description: 'Before.' }),
  }),
});

builder.queryField('auditEvents', (t) =>
  t.connection(
    {
      type: AuditEventRef,
      nullable: true,
      description: 'Newest first. Needs scope `audit:read`.',
      authScopes: { scope: 'audit:read' },
      args: { filter: t.arg({ type: AuditFilterInput, description: 'Left out: all.' }) },
      resolve: (_root, { filter, ...args }, { read }) =>
        connectionOf(args, (page) =>
          read.listAuditEvents(
            {
              actions: filter?.actions ?? undefined,
              clientId: localIdOrNobody('Client', filter?.clientId),
              generationId: localIdOrNobody('Generation', filter?.generationId),
              occurredFrom: filter?.occurredFrom ?? undefined,
              occurredUntil: filter?.occurredUntil ?? undefined,
            },
            page,
          ),
        ),
    },
    ...connectionTypes('AuditEvent', 'lines of the audit trail'),
  ),
);
