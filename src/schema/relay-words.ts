/** What the types and fields of the Relay specifications say of themselves, here and in every list. */
export const RELAY_WORDS = {
  nodeTypeOptions: { description: 'Whatever has an id by which it can be fetched again.' },
  idFieldOptions: { description: 'Unique among all nodes; `node` takes it.' },
  pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
  hasNextPageFieldOptions: { description: 'Whether there is more after this page.' },
  hasPreviousPageFieldOptions: { description: 'Whether there is more before this page.' },
  startCursorFieldOptions: { description: 'Of the first edge; null where the page is empty.' },
  endCursorFieldOptions: { description: 'Of the last edge; null where the page is empty.' },
  pageInfoFieldOptions: { description: 'Where the page stands in the list.' },
  cursorFieldOptions: { description: 'The place in the list, for `after` and `before`.' },
  firstArgOptions: { description: 'So many from the start, 0 to 100. Left out, with `last` too: 20.' },
  afterArgOptions: { description: 'Only what comes after this cursor.' },
  lastArgOptions: { description: 'So many from the end, 0 to 100.' },
  beforeArgOptions: { description: 'Only what comes before this cursor.' },
} as const;

/** The names and words of a connection's two types, for `t.connection`. */
export const connectionTypes = (typename: string, plural: string) =>
  [
    { name: `${typename}Connection`, description: `A page of ${plural}.` },
    { name: `${typename}Edge`, description: `A place in a list of ${plural}.` },
  ] as const;
