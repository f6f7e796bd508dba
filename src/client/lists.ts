import type { Connection } from './connection.ts';
import { type Attempt, type Generation, toAttempt, toGeneration } from './generation.ts';
import { toInput } from './input.ts';
import {
  type AuditAction,
  AuditEventsDocument,
  type AuditEventsQuery,
  type AuditFilterInput,
  type GenerationFilterInput,
  GenerationsDocument,
} from './operations.generated.ts';
import type { CallOptions } from './options.ts';

const DEFAULT_PAGE_SIZE = 50;

/** A filter as the schema has it, but with dates as dates. */
type FilterOf<Input, DateNames extends keyof Input> = {
  readonly [Name in keyof Input]?:
    | (Name extends DateNames ? Date | string : NonNullable<Input[Name]>)
    | undefined;
};

/** What is left out does not matter. */
export type GenerationFilter = FilterOf<GenerationFilterInput, 'createdFrom' | 'createdUntil'>;
/** What is left out does not matter. */
export type AuditFilter = FilterOf<AuditFilterInput, 'occurredFrom' | 'occurredUntil'>;

export interface ListOptions<Filter> {
  readonly filter?: Filter | undefined;
  /** How many are asked for at a time, 1 to 100. @default 50 */
  readonly pageSize?: number | undefined;
}

/** One line of the audit trail. */
export interface AuditEvent {
  readonly id: string;
  readonly action: AuditAction;
  readonly occurredAt: Date;
  /** Correlates with the gateway's log and its `X-Request-Id`. */
  readonly requestId: string;
  /** Details for people. */
  readonly message: string | undefined;
  /** Whose doing it was. */
  readonly client: { readonly id: string; readonly name: string } | undefined;
  /** What it is about. */
  readonly generation: { readonly id: string } | undefined;
  readonly attempt: Attempt | undefined;
}

/** Newest first, page by page as they are read. */
export async function* generations(
  connection: Connection,
  { filter, pageSize }: ListOptions<GenerationFilter>,
  options: CallOptions,
): AsyncGenerator<Generation, void, undefined> {
  const pages = pagesOf(pageSize, async (page) => {
    const variables = {
      ...page,
      filter: filter === undefined ? null : toInput<GenerationFilterInput>(filter),
    };
    return (await connection.read(GenerationsDocument, variables, options)).generations;
  });
  for await (const node of pages) yield toGeneration(node, connection);
}

/** Newest first, page by page as they are read. Needs the scope `audit:read`. */
export async function* auditEvents(
  connection: Connection,
  { filter, pageSize }: ListOptions<AuditFilter>,
  options: CallOptions,
): AsyncGenerator<AuditEvent, void, undefined> {
  const pages = pagesOf(pageSize, async (page) => {
    const variables = { ...page, filter: filter === undefined ? null : toInput<AuditFilterInput>(filter) };
    return (await connection.read(AuditEventsDocument, variables, options)).auditEvents;
  });
  for await (const node of pages) yield toAuditEvent(node);
}

interface Page<Node> {
  readonly edges: readonly { readonly node: Node }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function* pagesOf<Node>(
  pageSize: number = DEFAULT_PAGE_SIZE,
  ask: (page: { first: number; after: string | null }) => Promise<Page<Node> | null>,
): AsyncGenerator<Node, void, undefined> {
  let after: string | null = null;
  do {
    const page: Page<Node> | null = await ask({ first: pageSize, after });
    if (page === null) return;
    for (const { node } of page.edges) yield node;
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
}

type AuditFields = NonNullable<AuditEventsQuery['auditEvents']>['edges'][number]['node'];

const toAuditEvent = (fields: AuditFields): AuditEvent => ({
  id: fields.id,
  action: fields.action,
  occurredAt: new Date(fields.occurredAt),
  requestId: fields.requestId,
  message: fields.message ?? undefined,
  client: fields.client ?? undefined,
  generation: fields.generation ?? undefined,
  attempt: fields.attempt === null ? undefined : toAttempt(fields.attempt),
});
