import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Refuses what is nested so deeply that its parser, which calls itself for each bracket, runs out of stack. */
export function useParsableNesting(): Plugin {
  return {
    onParse() {
      return ({ result, replaceParseResult }) => {
        // The parser computes with nothing that could be out of range: it can be the stack only.
        if (result instanceof RangeError) replaceParseResult(tooDeep());
      };
    },
  };
}

const tooDeep = () =>
  new GraphQLError('Syntax Error: The document is nested too deeply.', {
    extensions: { code: 'GRAPHQL_PARSE_FAILED', http: { spec: true, status: 400 } },
  });
