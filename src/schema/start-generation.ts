import { InvalidInputError } from '../errors.ts';
import type { GenerationAnswer, GenerationRequest } from '../middleware/middleware.ts';
import { builder } from './builder.ts';
import { GenerateImageInput, requestsOf } from './generate-image.ts';
import {
  IdempotencyConflictErrorRef,
  InvalidInputErrorRef,
  QuotaExceededErrorRef,
  refusalOf,
} from './generate-image-result.ts';
import { GenerationRef } from './generation.ts';
import { typenameOf } from './user-error.ts';

const StartGenerationSuccessRef = builder.objectRef<GenerationAnswer>('StartGenerationSuccess').implement({
  description: 'The generation is on record, and goes on whoever leaves.',
  fields: (t) => ({
    generation: t.expose('generation', {
      type: GenerationRef,
      description: 'As it is now: waiting, running, or ended where it was asked for before.',
    }),
    replayed: t.exposeBoolean('replayed', {
      description:
        'True where an earlier request with the same idempotency key started it: nothing new was started.',
    }),
  }),
});

const StartGenerationResult = builder.unionType('StartGenerationResult', {
  description: 'Whether a generation was started.',
  types: [
    StartGenerationSuccessRef,
    InvalidInputErrorRef,
    IdempotencyConflictErrorRef,
    QuotaExceededErrorRef,
  ],
  resolveType: typenameOf,
});

builder.mutationField('startGeneration', (t) =>
  t.field({
    type: StartGenerationResult,
    description:
      'Generate in the background: answers as soon as the request is on record. Needs scope `images:generate`.',
    authScopes: { scope: 'images:generate' },
    args: { input: t.arg({ type: GenerateImageInput, required: true }) },
    async resolve(_root, { input }, context) {
      try {
        if (input.waitSeconds) {
          const message = 'startGeneration does not wait; leave it out, or ask generateImage.';
          throw new InvalidInputError([{ path: ['input', 'waitSeconds'], message }]);
        }
        const [request] = requestsOf({ ...input, waitSeconds: 0 }, context) as [GenerationRequest];
        return { __typename: 'StartGenerationSuccess', ...(await context.gateway.generate(request)) };
      } catch (error) {
        return refusalOf(error);
      }
    },
  }),
);
