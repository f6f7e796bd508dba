import type { Generation, GenerationFilter, GenerationStatus } from '../../client/index.ts';
import { GENERATION_STATUSES } from '../../generation.ts';
import { gatewayClient } from '../gateway-client.ts';
import { gatewayFailure } from '../gateway-failure.ts';
import { idEnding, shortId } from '../ids.ts';
import { duration, timeAgo } from '../terminal/quantities.ts';
import type { Style } from '../terminal/style.ts';
import type { Column } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { clientId } from './client-id.ts';
import { type ListOptions, wordsOf } from './list-options.ts';
import { pageSizeFor, printList } from './print-list.ts';

export interface GenerationsOptions extends ListOptions {
  readonly status?: string;
  readonly provider?: string;
}

/** Reads may fail soon: whoever asks sits in front of it. */
const RETRY_SECONDS = 0;

/** Prints generations, newest first. @throws {CommandFailure} */
export async function listGenerations(options: GenerationsOptions, terminal: Terminal): Promise<void> {
  const { limit, json = false, status, provider, since, client: name } = options;
  const { client, context } = gatewayClient(options, terminal, { retrySeconds: RETRY_SECONDS });
  const filter: GenerationFilter = {
    statuses: status === undefined ? undefined : wordsOf(GENERATION_STATUSES, '--status', status),
    provider,
    createdFrom: since,
    clientId:
      name === undefined
        ? undefined
        : await clientId(client, name, terminal.program).catch((error: unknown) => {
            throw gatewayFailure(error, context);
          }),
  };
  await printList(
    client.generations({ filter, pageSize: pageSizeFor(limit) }),
    {
      limit,
      json,
      toJson: generationAsJson,
      columns: (forPeople) => columnsOf(forPeople ? (date) => timeAgo(date, terminal.now()) : toIso),
      empty: 'There are no such generations.',
    },
    terminal,
    context,
  );
}

/** As the API has it; its image without the generation that it is in. */
const generationAsJson = ({ image, ...generation }: Generation) => {
  if (image === undefined) return { ...generation, image: null };
  const { generation: _this, replayed: _always, idempotencyKey: _there, ...fields } = image;
  return { ...generation, image: fields };
};

const toIso = (date: Date): string => date.toISOString();

const STATUS_LOOKS: Readonly<Record<GenerationStatus, keyof Style>> = {
  QUEUED: 'cyan',
  RUNNING: 'cyan',
  SUCCEEDED: 'green',
  FAILED: 'red',
  CANCELED: 'dim',
  UNKNOWN: 'yellow',
};

/** What came of it: the true size of the image, or why there is none. */
const resultOf = ({ image, failure, attempts }: Generation): string => {
  if (image !== undefined)
    return `${image.width}x${image.height}${image.removedAt === undefined ? '' : ' removed'}`;
  if (failure !== undefined) return failure.code.toLowerCase().replaceAll('_', '-');
  return attempts.length === 0 ? '' : `attempt ${attempts.length}`;
};

const columnsOf = (toText: (date: Date) => string): readonly Column<Generation>[] => [
  {
    header: 'GENERATION',
    text: ({ id }) => shortId(id),
    short: ({ id }) => idEnding(id),
    look: (_row, style) => style.dim,
  },
  { header: 'CREATED', text: ({ createdAt }) => toText(createdAt) },
  {
    header: 'STATUS',
    text: ({ status }) => status,
    look: ({ status }, style) => style[STATUS_LOOKS[status]],
  },
  { header: 'RESULT', text: resultOf, least: 18, expendable: 1 },
  {
    header: 'TIME',
    text: ({ createdAt, finishedAt }) =>
      finishedAt === undefined ? '' : duration(finishedAt.getTime() - createdAt.getTime()),
    align: 'right',
    expendable: 3,
  },
  { header: 'PROVIDER', text: ({ provider }) => provider ?? '', expendable: 2 },
  { header: 'CLIENT', text: ({ client }) => client.name, expendable: 4 },
  { header: 'PROMPT', text: ({ prompt }) => prompt, least: 10 },
];
