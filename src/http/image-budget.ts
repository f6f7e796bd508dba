import {
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { MAX_IMAGES_AT_ONCE } from '../generation-input.ts';

/** Mutations that ask for one image each. */
const ONE_IMAGE = new Set(['generateImage', 'startGeneration']);

/**
 * How many images an operation asks for: one for each `generateImage` and `startGeneration`, `count` for each `generateImages`,
 * however they are aliased or spread. `variables` are coerced. Directives don't lower it: `@skip` can be turned by
 * a variable.
 */
export function imagesAskedFor(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  // Each fragment is counted once, so that spreads of spreads can't make the counting itself dear.
  const counted = new Map<string, number>();

  function countSelections({ selections }: SelectionSetNode): number {
    let images = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) images += countSelections(selection.selectionSet);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) images += countFragment(selection.name.value);
      else if (ONE_IMAGE.has(selection.name.value)) images += 1;
      else if (selection.name.value === 'generateImages') {
        const input = selection.arguments?.find(({ name }) => name.value === 'input')?.value;
        const given = input && (valueFromASTUntyped(input, variables) as { count?: unknown } | null);
        const count = given?.count;
        // Any other count is refused by its own rule, and makes no image.
        images += typeof count === 'number' && count > 0 && count <= MAX_IMAGES_AT_ONCE ? count : 1;
      }
    }
    return images;
  }

  function countFragment(name: string): number {
    const known = counted.get(name);
    if (known !== undefined) return known;
    counted.set(name, 0);
    const fragment = fragments.get(name);
    const images = fragment === undefined ? 0 : countSelections(fragment.selectionSet);
    counted.set(name, images);
    return images;
  }

  return countSelections(operation.selectionSet);
}

/** Refuses an operation that asks for more images than the limit, before any of them is begun. */
export function useImageBudget(imagesPerOperation: number): Plugin {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const { schema, document, operationName, variableValues } = args;
      const operation = document.definitions.find(
        (definition: DefinitionNode): definition is OperationDefinitionNode =>
          definition.kind === Kind.OPERATION_DEFINITION &&
          (operationName === undefined || operationName === null || definition.name?.value === operationName),
      );
      if (operation?.operation !== 'mutation') return;
      // Coerced, so that what a variable leaves to its default counts too.
      const { coerced } = getVariableValues(
        schema,
        operation.variableDefinitions ?? [],
        variableValues ?? {},
      );
      // Variables that don't fit end the execution by themselves.
      if (coerced === undefined) return;
      const images = imagesAskedFor(document, operation, coerced);
      if (images <= imagesPerOperation) return;
      const message = `One operation may ask for ${imagesPerOperation} images at most; this one asks for ${images}.`;
      setResultAndStopExecution({
        errors: [
          new GraphQLError(message, { extensions: { code: 'TOO_MANY_IMAGES', http: { status: 400 } } }),
        ],
      });
    },
  };
}
