import { UnauthenticatedError } from '../errors.ts';
import { type Generation, hasScope } from '../generation.ts';
import { builder } from './builder.ts';
import { GenerationRef } from './generation.ts';
import { localId } from './ids.ts';
import { typenameOf, UserErrorRef, type UserErrorShape } from './user-error.ts';

const CancelGenerationInput = builder.inputType('CancelGenerationInput', {
  description: 'Which generation to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'As `Generation.id` gave it.' }) }),
});

const CancelGenerationSuccessRef = builder
  .objectRef<{ generation: Generation; mayBeBilled: boolean }>('CancelGenerationSuccess')
  .implement({
    description: 'The generation is canceled, now or by an earlier request: nothing more is sent for it.',
    fields: (t) => ({
      generation: t.expose('generation', {
        type: GenerationRef,
        description: 'In its final state, with the attempts that were made.',
      }),
      mayBeBilled: t.exposeBoolean('mayBeBilled', {
        description:
          'True where a call had been sent before: the provider may make the image all the same, and bill it.',
      }),
    }),
  });

const GenerationNotFoundErrorRef = builder.objectRef<UserErrorShape>('GenerationNotFoundError').implement({
  description: 'There is no generation of the caller with this id.',
  interfaces: [UserErrorRef],
});

const GenerationNotCancelableErrorRef = builder
  .objectRef<UserErrorShape & { endedGeneration: Generation }>('GenerationNotCancelableError')
  .implement({
    description: 'The generation had ended before.',
    interfaces: [UserErrorRef],
    fields: (t) => ({
      endedGeneration: t.expose('endedGeneration', {
        type: GenerationRef,
        description: 'The generation, in its final state.',
      }),
    }),
  });

const CancelGenerationResult = builder.unionType('CancelGenerationResult', {
  description: 'Whether a generation was canceled.',
  types: [CancelGenerationSuccessRef, GenerationNotFoundErrorRef, GenerationNotCancelableErrorRef],
  resolveType: typenameOf,
});

const NOT_FOUND = {
  __typename: 'GenerationNotFoundError',
  message: 'There is no such generation of yours.',
  retryable: false,
};

builder.mutationField('cancelGeneration', (t) =>
  t.field({
    type: CancelGenerationResult,
    description:
      "Stop a queued or running generation, the caller's own or with scope `admin` any. Needs scope `images:generate`.",
    authScopes: { scope: 'images:generate' },
    args: { input: t.arg({ type: CancelGenerationInput, required: true }) },
    async resolve(_root, { input }, { principal, requestId, gateway }) {
      if (principal === undefined) throw new UnauthenticatedError('This needs an API key.');
      const generationId = localId('Generation', input.id);
      if (generationId === undefined) return NOT_FOUND;
      const viewer = { clientId: principal.clientId, seesAll: hasScope(principal, 'admin') };
      const result = await gateway.cancel({ generationId, viewer, requestId });
      switch (result.kind) {
        case 'not-found':
          return NOT_FOUND;
        case 'ended':
          return {
            __typename: 'GenerationNotCancelableError',
            message: 'The generation has ended.',
            retryable: false,
            endedGeneration: result.generation,
          };
        case 'canceled':
          return { __typename: 'CancelGenerationSuccess', ...result };
      }
    },
  }),
);
