import type { Generation, Image } from '../generation.ts';
import { AttemptRef } from './attempt.ts';
import { builder } from './builder.ts';
import { ClientRef } from './client.ts';
import type { Context } from './context.ts';
import {
  DeliveryGuaranteeEnum,
  GenerationFailureCodeEnum,
  GenerationStatusEnum,
  ImageSizeEnum,
} from './enums.ts';
import { inOrder } from './ids.ts';
import { ImageRef } from './image.ts';

export const GenerationRef = builder.loadableNodeRef('Generation', {
  id: { resolve: (generation: Generation) => generation.id },
  load: (ids: string[], { read }: Context): Promise<Generation[]> => inOrder(ids, read.generationsById),
});

/** The generation, through the request's loader. */
export const generationOf = (context: Context, id: string): Promise<Generation> =>
  GenerationRef.getDataloader(context).load(id);

const GenerationFailureRef = builder
  .objectRef<NonNullable<Generation['failure']>>('GenerationFailure')
  .implement({
    description: 'Why a generation ended without an image.',
    fields: (t) => ({
      code: t.expose('code', {
        type: GenerationFailureCodeEnum,
        description: 'What kind of failure it was.',
      }),
      message: t.exposeString('message', { description: 'For developers; never with secrets in it.' }),
      retryable: t.exposeBoolean('retryable', {
        description: 'Whether the same request can succeed later without a change.',
      }),
      providerCode: t.exposeString('providerCode', {
        nullable: true,
        description: "The provider's own word for it, where it gave one.",
      }),
      retryAfterSeconds: t.exposeInt('retryAfterSeconds', {
        nullable: true,
        description: 'When it is worth asking again, in seconds after the end, where that is known.',
      }),
    }),
  });

builder.objectType(GenerationRef, {
  description: 'One request for one image, from acceptance to its end.',
  fields: (t) => ({
    status: t.expose('status', { type: GenerationStatusEnum, description: 'Where it is in its life.' }),
    prompt: t.exposeString('prompt', { description: 'As it was asked for.' }),
    requestedSize: t.expose('size', { type: ImageSizeEnum, description: 'The canvas asked for.' }),
    delivery: t.expose('delivery', { type: DeliveryGuaranteeEnum, description: 'The guarantee asked for.' }),
    idempotencyKey: t.exposeString('idempotencyKey', {
      nullable: true,
      description: 'The key it was asked for with.',
    }),
    provider: t.exposeString('provider', {
      nullable: true,
      description: 'The provider that it waits for, runs at, or ended at.',
    }),
    route: t.field({
      type: ['String'],
      description:
        'The providers that it may be made by, in order: each one is asked when the one before did not take it.',
      resolve: ({ route }) => [...route],
    }),
    model: t.exposeString('model', { nullable: true, description: 'Set once a provider is chosen.' }),
    image: t.loadable({
      type: ImageRef,
      nullable: true,
      description: 'Present when it succeeded.',
      load: async (ids: string[], { read }) => {
        const images = await read.imagesOf(ids);
        return ids.map((id) => images.get(id) ?? null) as Image[];
      },
      resolve: ({ id, status }) => (status === 'SUCCEEDED' ? id : null),
    }),
    failure: t.field({
      type: GenerationFailureRef,
      nullable: true,
      description: 'Present when it ended without an image, unless it was canceled.',
      resolve: ({ failure }) => failure,
    }),
    attempts: t.loadableList({
      type: AttemptRef,
      description: 'Every call upstream, oldest first, recorded before it was sent.',
      load: async (ids: string[], { read }) => {
        const attempts = await read.attemptsOf(ids);
        return ids.map((id) => [...(attempts.get(id) ?? [])]);
      },
      // Still batched, but asked anew for every field: one mutation's fields run in turn, and see it change.
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was accepted.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a replica first began to work on it.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    client: t.field({
      type: ClientRef,
      description: 'Who asked for it.',
      resolve: ({ clientId }) => clientId,
    }),
  }),
});
