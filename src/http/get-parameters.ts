import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { badRequest } from './persisted-identifier.ts';

/** Reads the parameters of a GET. Yoga's own reader drops `documentId`, and takes bad JSON for a fault of the server. */
export function useGetParameters(): Plugin {
  return {
    onRequestParse({ request, setRequestParser }) {
      if (request.method === 'GET') setRequestParser(parametersOf);
    },
  };
}

/** What is empty counts as left out. */
function parametersOf({ url }: Request): GraphQLParams & { documentId?: string } {
  const { searchParams } = new URL(url, 'http://localhost');
  const textOf = (name: string) => searchParams.get(name) || undefined;
  const jsonOf = (name: string) => {
    const text = textOf(name);
    try {
      return text === undefined ? {} : { [name]: JSON.parse(text) };
    } catch {
      throw badRequest(`The parameter "${name}" is no JSON.`);
    }
  };
  const texts = ['query', 'operationName', 'documentId'].flatMap((name) => {
    const text = textOf(name);
    return text === undefined ? [] : [[name, text]];
  });
  return { ...Object.fromEntries(texts), ...jsonOf('variables'), ...jsonOf('extensions') };
}
