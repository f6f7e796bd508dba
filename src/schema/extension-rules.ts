import {
  type DocumentNode,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
} from 'graphql';
import type { SchemaExtension } from './extension.ts';

const ALLOWED = new Set<string>([
  Kind.SCALAR_TYPE_DEFINITION,
  Kind.OBJECT_TYPE_DEFINITION,
  Kind.INTERFACE_TYPE_DEFINITION,
  Kind.UNION_TYPE_DEFINITION,
  Kind.ENUM_TYPE_DEFINITION,
  Kind.INPUT_OBJECT_TYPE_DEFINITION,
  Kind.OBJECT_TYPE_EXTENSION,
]);

/** Object types are all that can be added to: of anything else the built-in resolvers would take no notice. */
export function problemOfDefinitions({ definitions }: DocumentNode): string | undefined {
  const other = definitions.find(({ kind }) => !ALLOWED.has(kind));
  if (other === undefined) return undefined;
  const name = 'name' in other && other.name !== undefined ? ` ${other.name.value}` : '';
  return `it may define types, and extend object types, but has a ${other.kind}${name}.`;
}

/**
 * Mutations and subscriptions are begun at the root alone. Anywhere else, in a query or below another field, what counts
 * the images of an operation before it is executed would not see them.
 */
export function problemOfRoots(schema: GraphQLSchema): string | undefined {
  for (const root of [schema.getMutationType(), schema.getSubscriptionType()]) {
    if (root == null) continue;
    if (root.getInterfaces().length > 0) return `${root.name} can't implement an interface.`;
    for (const type of Object.values(schema.getTypeMap())) {
      if (isUnionType(type) && type.getTypes().includes(root))
        return `${type.name} can't include ${root.name}.`;
      if (!isObjectType(type) && !isInterfaceType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        if (getNamedType(field.type) === root)
          return `${type.name}.${field.name} can't lead to ${root.name}.`;
      }
    }
  }
  return undefined;
}

/** The fields of each object type that the document defines or extends. */
export function fieldsOf({ definitions }: DocumentNode): Map<string, Set<string>> {
  const fields = new Map<string, Set<string>>();
  for (const definition of definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.OBJECT_TYPE_EXTENSION)
      continue;
    const known = fields.get(definition.name.value) ?? new Set();
    for (const field of definition.fields ?? []) known.add(field.name.value);
    fields.set(definition.name.value, known);
  }
  return fields;
}

/** A resolver replaces what is there, and what that asks of the caller: it may only be one of the plug-in's own fields. */
export function problemOfResolvers(
  { resolvers = {} }: SchemaExtension,
  document: DocumentNode,
  before: GraphQLSchema,
): string | undefined {
  const fields = fieldsOf(document);
  for (const [typeName, given] of Object.entries(resolvers)) {
    if (before.getType(typeName) === undefined) continue;
    const foreign = Object.keys(given ?? {}).find((name) => fields.get(typeName)?.has(name) !== true);
    if (foreign !== undefined)
      return `it has a resolver for ${typeName}.${foreign}, a field that it does not add.`;
  }
  const roots = [
    [before.getQueryType()?.name, 'resolve'],
    [before.getMutationType()?.name, 'resolve'],
    [before.getSubscriptionType()?.name, 'subscribe'],
  ] as const;
  for (const [root = '', needed] of roots) {
    for (const name of fields.get(root) ?? []) {
      const given: unknown = (resolvers[root] as Record<string, unknown> | undefined)?.[name];
      const found =
        typeof given === 'function' && needed === 'resolve'
          ? given
          : (given as Record<string, unknown> | null | undefined)?.[needed];
      if (typeof found !== 'function') return `${root}.${name} has no resolver (\`${needed}\`).`;
    }
  }
  return undefined;
}
