import { builder } from './builder.ts';
import { connectionOf } from './connection.ts';
import { GenerationStatusEnum } from './enums.ts';
import { GenerationRef } from './generation.ts';
import { localId } from './ids.ts';
import { ImageRef } from './image.ts';
import { connectionTypes } from './relay-words.ts';

const GenerationFilterInput = builder.inputType('GenerationFilterInput', {
  description: 'Which generations to list; what is left out does not matter.',
  fields: (t) => ({
    statuses: t.field({ type: [GenerationStatusEnum], description: 'Any of these.' }),
    clientId: t.id({ description: 'Of this client.' }),
    provider: t.string({ description: 'Made by the provider of this name.' }),
    idempotencyKey: t.string({ description: 'Asked for with this key.' }),
    createdFrom: t.field({ type: 'DateTime', description: 'Accepted at or after.' }),
    createdUntil: t.field({ type: 'DateTime', description: 'Accepted before.' }),
  }),
});

/** An id of another type, or none at all, matches nothing. */
const NOBODY = '00000000-0000-0000-0000-000000000000';
export const localIdOrNobody = (typename: string, id: string | null | undefined): string | undefined =>
  id === null || id === undefined ? undefined : (localId(typename, id) ?? NOBODY);

builder.queryFields((t) => ({
  image: t.field({
    type: ImageRef,
    nullable: true,
    description: 'An image by its id; null where there is none that the caller may see.',
    authScopes: { authenticated: true },
    args: { id: t.arg.id({ required: true, description: 'As `Image.id` gave it.' }) },
    resolve: (_root, { id }) => localId('Image', id),
  }),
  generation: t.field({
    type: GenerationRef,
    nullable: true,
    description: 'A generation by its id; null where there is none that the caller may see.',
    authScopes: { authenticated: true },
    args: { id: t.arg.id({ required: true, description: 'As `Generation.id` gave it.' }) },
    resolve: (_root, { id }) => localId('Generation', id),
  }),
  generations: t.connection(
    {
      type: GenerationRef,
      nullable: true,
      description: "Newest first; the caller's own, or everyone's with scope `generations:read`.",
      authScopes: { authenticated: true },
      args: { filter: t.arg({ type: GenerationFilterInput, description: 'Left out: all.' }) },
      resolve: (_root, { filter, ...args }, { read }) =>
        connectionOf(args, (page) =>
          read.listGenerations(
            {
              statuses: filter?.statuses ?? undefined,
              clientId: localIdOrNobody('Client', filter?.clientId),
              provider: filter?.provider ?? undefined,
              idempotencyKey: filter?.idempotencyKey ?? undefined,
              createdFrom: filter?.createdFrom ?? undefined,
              createdUntil: filter?.createdUntil ?? undefined,
            },
            page,
          ),
        ),
    },
    ...connectionTypes('Generation', 'generations'),
  ),
}));
