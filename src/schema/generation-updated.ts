import { NotFoundError, UnauthenticatedError } from '../errors.ts';
import type { Generation } from '../generation.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { GenerationRef } from './generation.ts';
import { localId } from './ids.ts';

/** @throws {NotFoundError} also for what is there, but not for this caller. */
async function watch(
  globalId: string,
  { read, gateway, principal, signal }: Context,
): Promise<AsyncIterable<Generation>> {
  const id = localId('Generation', globalId);
  const [generation] = id === undefined ? [] : await read.generationsById([id]);
  if (generation === undefined) throw new NotFoundError('There is no such generation that you may see.');
  if (principal === undefined) throw new UnauthenticatedError('This needs an API key.');
  return gateway.watch({ generationId: generation.id, clientId: principal.clientId, signal });
}

builder.subscriptionField('generationUpdated', (t) =>
  t.field({
    type: GenerationRef,
    description:
      'The generation as it is now, then every change until it ends. After a lost connection, subscribe again: nothing is missed.',
    authScopes: { authenticated: true },
    args: { id: t.arg.id({ required: true, description: 'As `Generation.id` gave it.' }) },
    subscribe: (_root, { id }, context) => watch(id, context),
    resolve(generation, _arguments, context) {
      // One context lives as long as the subscription, and its loaders remember what was.
      GenerationRef.getDataloader(context).clear(generation.id).prime(generation.id, generation);
      return generation;
    },
  }),
);
