import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Where graphql-js begins to say which names there are; it always ends the message. */
const SUGGESTION = ' Did you mean ';

/** Keeps back what a misspelt document might have meant, which tells strangers the names in the schema. */
export function useHiddenSuggestions(): Plugin {
  return {
    onExecutionResult({ result, setResult }) {
      if (result === undefined || !('errors' in result) || result.errors === undefined) return;
      setResult({ ...result, errors: result.errors.map(withoutSuggestion) });
    },
  };
}

function withoutSuggestion(error: GraphQLError): GraphQLError {
  const end = error.message.lastIndexOf(SUGGESTION);
  if (end === -1) return error;
  const { nodes, source, positions, path, extensions } = error;
  return new GraphQLError(error.message.slice(0, end), {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions,
  });
}
