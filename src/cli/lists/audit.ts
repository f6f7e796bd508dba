import type { AuditAction, AuditEvent, AuditFilter } from '../../client/index.ts';
import { AUDIT_ACTIONS } from '../../ledger/audit.ts';
import { gatewayClient } from '../gateway-client.ts';
import { gatewayFailure } from '../gateway-failure.ts';
import { idEnding, nodeIds, shortId, wholeId } from '../ids.ts';
import { timeAgo } from '../terminal/quantities.ts';
import type { Style } from '../terminal/style.ts';
import type { Column } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { clientId } from './client-id.ts';
import { type ListOptions, wordsOf } from './list-options.ts';
import { pageSizeFor, printList } from './print-list.ts';

export interface AuditOptions extends ListOptions {
  readonly action?: string;
  readonly generation?: string;
}

/** Prints the audit trail, newest first. @throws {CommandFailure} */
export async function listAudit(options: AuditOptions, terminal: Terminal): Promise<void> {
  const { program } = terminal;
  const { limit, json = false, action, generation, since, client: name } = options;
  const actions = action === undefined ? undefined : wordsOf(AUDIT_ACTIONS, '--action', action);
  const { client, context } = gatewayClient(options, terminal, { retrySeconds: 0 });
  const telling = (error: unknown): never => {
    throw gatewayFailure(error, context);
  };
  const whole =
    generation === undefined ? undefined : await wholeId(generation, client, program).catch(telling);
  const [about] = whole === undefined ? [] : nodeIds(whole, ['Generation'], program);
  const filter: AuditFilter = {
    actions,
    generationId: about?.id,
    occurredFrom: since,
    clientId: name === undefined ? undefined : await clientId(client, name, program).catch(telling),
  };
  await printList(
    client.auditEvents({ filter, pageSize: pageSizeFor(limit) }),
    {
      limit,
      json,
      toJson: (event) => event,
      columns: (forPeople) =>
        columnsOf(forPeople ? (date) => timeAgo(date, terminal.now()) : (date) => date.toISOString()),
      empty: 'There are no such lines.',
    },
    terminal,
    context,
  );
}

const lookOf = (action: AuditAction): keyof Style | undefined => {
  if (/FAILED$|DENIED$|CONFLICTED$|REVOKED$/.test(action)) return 'red';
  if (/UNKNOWN$|REMOVED$/.test(action)) return 'yellow';
  if (/SUCCEEDED$/.test(action)) return 'green';
  return undefined;
};

/** The message, or what is known of the call upstream that the line is about. */
const detailsOf = ({ message, attempt }: AuditEvent): string => {
  if (message !== undefined) return message;
  if (attempt === undefined) return '';
  const { number, provider, outcome } = attempt;
  return `Attempt ${number} at ${provider}: ${outcome}`;
};

const columnsOf = (toText: (date: Date) => string): readonly Column<AuditEvent>[] => [
  { header: 'TIME', text: ({ occurredAt }) => toText(occurredAt) },
  {
    header: 'ACTION',
    text: ({ action }) => action,
    look: ({ action }, style) => {
      const look = lookOf(action);
      return look === undefined ? (text) => text : style[look];
    },
  },
  { header: 'CLIENT', text: ({ client }) => client?.name ?? '', expendable: 1 },
  {
    header: 'GENERATION',
    text: ({ generation }) => (generation === undefined ? '' : shortId(generation.id)),
    short: ({ generation }) => (generation === undefined ? '' : idEnding(generation.id)),
    look: (_row, style) => style.dim,
  },
  { header: 'DETAILS', text: detailsOf, least: 24, wraps: true },
];
