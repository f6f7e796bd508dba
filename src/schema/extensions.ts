import { addResolversToSchema } from '@graphql-tools/schema';
import { type DocumentNode, extendSchema, type GraphQLSchema, parse, validateSchema } from 'graphql';
import { ConfigError } from '../errors.ts';
import type { ExtendingPlugin, SchemaExtension } from './extension.ts';
import { guardedResolvers } from './extension-resolvers.ts';
import { problemOfDefinitions, problemOfResolvers, problemOfRoots } from './extension-rules.ts';

/**
 * The schema with what plug-ins add, in their order; the very same where none adds anything. What is there stays as it
 * is, with its resolvers and what they ask of the caller.
 *
 * @throws {ConfigError} that names the plug-in
 */
export function extendWith(schema: GraphQLSchema, plugins: readonly ExtendingPlugin[]): GraphQLSchema {
  let extended = schema;
  for (const { name, schema: given = [] } of plugins) {
    for (const extension of [given].flat()) extended = extendWithOne(extended, extension, name);
  }
  return extended;
}

function extendWithOne(schema: GraphQLSchema, extension: SchemaExtension, plugin: string): GraphQLSchema {
  const refuse = (problem: string, cause?: unknown): never => {
    const message = `The schema of the plug-in "${plugin}" is not usable: ${problem}`;
    throw new ConfigError(message, cause === undefined ? undefined : { cause });
  };
  /** Runs a step of graphql-js or graphql-tools, which throw what they have to say. */
  const step = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      return refuse(error instanceof Error ? error.message : String(error), error);
    }
  };
  const check = (problem: string | undefined): void => {
    if (problem !== undefined) refuse(problem);
  };

  if (extension.public === true && extension.scope !== undefined)
    refuse('it is public, and asks for a scope.');
  const document: DocumentNode = step(() => parse(extension.typeDefs));
  check(problemOfDefinitions(document));
  // All its types are new ones, so that the one that was given stays as it is.
  const extended = step(() => extendSchema(schema, document));
  check(validateSchema(extended)[0]?.message);
  check(problemOfRoots(extended));
  check(problemOfResolvers(extension, document, schema));
  return step(() =>
    addResolversToSchema({
      schema: extended,
      resolvers: guardedResolvers(extension, document),
      updateResolversInPlace: true,
    }),
  );
}
