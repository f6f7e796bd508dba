import {
  IdempotencyConflictError,
  type InputIssue,
  InvalidInputError,
  QuotaExceededError,
} from '../errors.ts';
import type { FailureCode, Generation } from '../generation.ts';
import type { GenerationAnswer } from '../middleware/middleware.ts';
import { builder } from './builder.ts';
import { GenerationRef } from './generation.ts';
import { ImageRef } from './image.ts';
import { typenameOf, UserErrorRef, type UserErrorShape } from './user-error.ts';

const InputIssueRef = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'One rule that the input broke.',
  fields: (t) => ({
    path: t.field({
      type: ['String'],
      description: 'Where in the arguments it is, from the outermost name.',
      resolve: ({ path }) => [...path],
    }),
    message: t.exposeString('message', { description: 'What the rule is.' }),
  }),
});

export const InvalidInputErrorRef = builder
  .objectRef<UserErrorShape & { issues: readonly InputIssue[] }>('InvalidInputError')
  .implement({
    description: "The input broke a rule that the types can't state. Nothing was sent upstream.",
    interfaces: [UserErrorRef],
    fields: (t) => ({
      issues: t.field({
        type: [InputIssueRef],
        description: 'Every rule that was broken.',
        resolve: ({ issues }) => [...issues],
      }),
    }),
  });

export const IdempotencyConflictErrorRef = builder
  .objectRef<UserErrorShape & { existingGeneration: Generation }>('IdempotencyConflictError')
  .implement({
    description: 'The key was used before with another input. Nothing was sent upstream.',
    interfaces: [UserErrorRef],
    fields: (t) => ({
      existingGeneration: t.expose('existingGeneration', {
        type: GenerationRef,
        description: 'The earlier generation that holds this idempotency key.',
      }),
    }),
  });

export const QuotaExceededErrorRef = builder
  .objectRef<UserErrorShape & { resetAt: Date }>('QuotaExceededError')
  .implement({
    description: "The API key's images of this UTC day are spent. Nothing was sent upstream.",
    interfaces: [UserErrorRef],
    fields: (t) => ({
      resetAt: t.expose('resetAt', {
        type: 'DateTime',
        description: 'When the next UTC day begins, and the quota with it.',
      }),
    }),
  });

type Failed = UserErrorShape & { readonly generation: Generation };

const ContentPolicyErrorRef = builder.objectRef<Failed>('ContentPolicyError').implement({
  description: "The provider's safety system refused the prompt or the result.",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    failedGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const ProviderRejectedErrorRef = builder.objectRef<Failed>('ProviderRejectedError').implement({
  description:
    "The provider refused the request (400, 413, 422), or the gateway's key or address (401, 403, 404).",
  interfaces: [UserErrorRef],
  fields: (t) => ({
    providerCode: t.string({
      nullable: true,
      description: "The provider's own word for it, where it gave one.",
      resolve: ({ generation }) => generation.failure?.providerCode,
    }),
    failedGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const ProviderUnavailableErrorRef = builder.objectRef<Failed>('ProviderUnavailableError').implement({
  description: 'Every attempt failed in a way that may pass, or the deadline came first.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    retryAfterSeconds: t.int({
      nullable: true,
      description: 'Seconds that the provider asked to wait before the next try.',
      resolve: ({ generation }) => generation.failure?.retryAfterSeconds,
    }),
    failedGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const InvalidImageErrorRef = builder.objectRef<Failed>('InvalidImageError').implement({
  description: 'The provider answered, but with no image that decodes.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    failedGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const StorageFailedErrorRef = builder.objectRef<Failed>('StorageFailedError').implement({
  description:
    'The provider delivered, but the image could not be stored; the bytes are kept for the operator.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    failedGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const OutcomeUnknownErrorRef = builder.objectRef<Failed>('OutcomeUnknownError').implement({
  description: 'The request went out and no answer came back: the image may exist, and may be billed.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    unknownGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const GenerationCanceledErrorRef = builder.objectRef<Failed>('GenerationCanceledError').implement({
  description: 'The generation was canceled while this call waited for it.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    canceledGeneration: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, in its final state.',
    }),
  }),
});

const GenerateImageSuccessRef = builder.objectRef<GenerationAnswer>('GenerateImageSuccess').implement({
  description: 'The image, stored and measured.',
  fields: (t) => ({
    image: t.field({
      type: ImageRef,
      description: 'The stored image.',
      resolve: ({ image, generation }) => {
        if (image === undefined) throw new Error(`Generation ${generation.id} succeeded without an image.`);
        return image;
      },
    }),
    generation: t.expose('generation', { type: GenerationRef, description: 'The request that made it.' }),
    replayed: t.exposeBoolean('replayed', {
      description:
        'True where an earlier request with the same idempotency key made this image: nothing was sent upstream.',
    }),
  }),
});

const GenerationPendingRef = builder.objectRef<GenerationAnswer>('GenerationPending').implement({
  description:
    'Still running when the wait ended. Subscribe, poll, or ask again with the same idempotency key.',
  fields: (t) => ({
    generation: t.expose('generation', {
      type: GenerationRef,
      description: 'The generation, still queued or running.',
    }),
  }),
});

export const GenerateImageResult = builder.unionType('GenerateImageResult', {
  description: 'How a request for an image ended, or that it goes on.',
  types: [
    GenerateImageSuccessRef,
    GenerationPendingRef,
    InvalidInputErrorRef,
    IdempotencyConflictErrorRef,
    QuotaExceededErrorRef,
    ContentPolicyErrorRef,
    ProviderRejectedErrorRef,
    ProviderUnavailableErrorRef,
    InvalidImageErrorRef,
    StorageFailedErrorRef,
    OutcomeUnknownErrorRef,
    GenerationCanceledErrorRef,
  ],
  resolveType: typenameOf,
});

/** Which member tells of which failure. A deadline that passed is unavailability, to a client. */
const FAILURES: Record<FailureCode, string> = {
  CONTENT_POLICY: 'ContentPolicyError',
  PROVIDER_REJECTED: 'ProviderRejectedError',
  PROVIDER_UNAVAILABLE: 'ProviderUnavailableError',
  DEADLINE_EXCEEDED: 'ProviderUnavailableError',
  INVALID_IMAGE: 'InvalidImageError',
  STORAGE_FAILED: 'StorageFailedError',
  OUTCOME_UNKNOWN: 'OutcomeUnknownError',
};

/** The union member that tells of an answer. */
export function resultOf(answer: GenerationAnswer) {
  const { generation } = answer;
  switch (generation.status) {
    case 'SUCCEEDED':
      return { __typename: 'GenerateImageSuccess', ...answer };
    case 'QUEUED':
    case 'RUNNING':
      return { __typename: 'GenerationPending', ...answer };
    case 'CANCELED':
      return {
        __typename: 'GenerationCanceledError',
        message: 'The generation was canceled.',
        retryable: !generation.keyHeld,
        generation,
      };
    case 'FAILED':
    case 'UNKNOWN': {
      const { failure } = generation;
      if (failure === undefined) throw new Error(`Generation ${generation.id} failed without a failure.`);
      const { message, retryable } = failure;
      return { __typename: FAILURES[failure.code], message, retryable, generation };
    }
  }
}

/** The union member that tells of a refusal; what is no refusal is thrown on. */
export function refusalOf(error: unknown) {
  if (error instanceof IdempotencyConflictError) {
    const { message, retryable, existingGeneration } = error;
    return { __typename: 'IdempotencyConflictError', message, retryable, existingGeneration };
  }
  if (error instanceof QuotaExceededError) {
    const { message, retryable, resetAt } = error;
    return { __typename: 'QuotaExceededError', message, retryable, resetAt };
  }
  return invalidInputOf(error);
}

/** The union member that tells of a broken rule; anything else is thrown on. */
export function invalidInputOf(error: unknown) {
  if (!(error instanceof InvalidInputError)) throw error;
  const { message, retryable, issues } = error;
  return { __typename: 'InvalidInputError', message, retryable, issues };
}
