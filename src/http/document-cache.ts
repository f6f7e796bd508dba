import type { DocumentNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { createTextCache } from './text-cache.ts';

/** Of the texts, in UTF-16 units. What is made of a text takes up to 70 times as much memory: 35 MB. */
const CACHED_LENGTH = 500_000;

/**
 * Keeps documents that are valid, by their texts, so that they are parsed and validated once. It belongs behind all plug-ins
 * that add rules.
 *
 * In the place of Yoga's own cache. That one keeps a thousand documents of any size, those of strangers and those that
 * don't parse too: a gigabyte, with a thousand requests of 10 KB. And whatever is kept by its cache, it keeps the errors
 * of, each with the request that it was found in: 75 KB for a document of five characters.
 */
export function useDocumentCache(): Plugin {
  const kept = createTextCache<DocumentNode>({ maxLength: CACHED_LENGTH });
  /** Of documents that were parsed and not kept yet. */
  const texts = new WeakMap<DocumentNode, string>();
  /** By which rules a document is valid; callers differ in whether they may look at the schema. */
  const validBy = new WeakMap<DocumentNode, Set<string>>();

  return {
    onParse({ params, setParsedDocument }) {
      const text = String(params.source);
      const document = kept.get(text);
      if (document !== undefined) return void setParsedDocument(document);
      return ({ result }) => {
        if (result !== null && 'kind' in result) texts.set(result, text);
      };
    },
    onValidate({ params: { documentAST: document, rules }, setResult }) {
      const names = (rules ?? []).map((rule: { readonly name: string }) => rule.name).join();
      const known = validBy.get(document);
      if (known?.has(names) === true) return void setResult([]);
      return ({ valid }) => {
        const text = texts.get(document);
        if (!valid) return;
        validBy.set(document, (known ?? new Set()).add(names));
        if (text === undefined) return;
        texts.delete(document);
        kept.set(text, document);
      };
    },
  };
}
