import type { Connection } from './connection.ts';
import { NetworkError } from './errors.ts';
import { hasEnded } from './generation.ts';
import {
  type GenerationFieldsFragment,
  GenerationsDocument,
  ViewerDocument,
} from './operations.generated.ts';
import type { CallOptions, GenerateImageRequest } from './options.ts';

/** What is asked for with a key. */
export interface Intent extends GenerateImageRequest {
  readonly idempotencyKey: string;
  /** How many images; more than one only of `generateImages`. */
  readonly count: number;
}

/** A generation as it was first heard of, and whether it was there before the call. */
export interface Begun {
  readonly fields: GenerationFieldsFragment;
  readonly replayed: boolean;
}

/** How a request with a key went: the gateway's answer, or what a lost one is known to have started. */
export type Started<Answer> = { readonly answer: Answer } | { readonly found: readonly Begun[] };

/** The clocks of replicas and proxies differ; what is older is of another call. */
const CLOCK_MARGIN_MS = 60_000;
/** The gateway's clock is known to the second (`Date`), and a way takes time. */
const TOLD_TO_MS = 2_000;
const PAGE_SIZE = 100;

/**
 * Asks with a key, again and again until an answer comes, without ever starting a second generation.
 *
 * Where the answer was lost, the generation may be there, may have failed meanwhile, and its key may be free: asking
 * again would begin a new one. So what is on record is looked at first, and the key is sent again only where nothing
 * of it is there.
 */
export async function start<Answer>(
  connection: Connection,
  intent: Intent,
  ask: () => Promise<Answer>,
  options: CallOptions,
): Promise<Started<Answer>> {
  const startedAt = connection.clock.now();
  let mayHaveArrived = false;
  return connection.retrying(async () => {
    if (mayHaveArrived) {
      const generations = await findStarted(connection, intent, startedAt, options);
      if (isEnough(generations, intent)) {
        const begun = (fields: GenerationFieldsFragment): Begun => ({
          fields,
          replayed: wasThereBefore(connection, fields, startedAt),
        });
        return { found: generations.map(begun) };
      }
    }
    try {
      return { answer: await ask() };
    } catch (error) {
      if (!(error instanceof NetworkError && error.notSent)) mayHaveArrived = true;
      throw error;
    }
  }, options);
}

/** Whether the generation is older than a call that began at this time of ours. */
export const wasThereBefore = (
  { gatewayNow, clock }: Connection,
  { createdAt }: GenerationFieldsFragment,
  startedAt: number,
): boolean => Date.parse(createdAt) < gatewayNow() - (clock.now() - startedAt) - TOLD_TO_MS;

/**
 * Whether to go on with what was found. Of several images some may be missing, because the day's quota was spent; asking
 * again joins those that are there, but not one that has failed: it would be bought anew.
 */
function isEnough(generations: readonly GenerationFieldsFragment[], { count }: Intent): boolean {
  return generations.length === count || generations.some(hasFailed);
}

const hasFailed = (generation: GenerationFieldsFragment): boolean =>
  hasEnded(generation) && generation.image === null;

/**
 * The caller's generations of this intent since the call began, oldest first; not more than were asked for. Failed ones
 * come last to be chosen: one of them may be of an earlier call with the same key.
 */
async function findStarted(
  connection: Connection,
  intent: Intent,
  startedAt: number,
  options: CallOptions,
): Promise<readonly GenerationFieldsFragment[]> {
  const { viewer } = await connection.send(ViewerDocument, {}, options);
  // That answer has told how late it is there.
  const ageMs = connection.clock.now() - startedAt;
  const createdFrom = new Date(connection.gatewayNow() - ageMs - CLOCK_MARGIN_MS).toISOString();
  const { idempotencyKey } = intent;
  const filter = { createdFrom, clientId: viewer?.client.id ?? null, idempotencyKey };
  const found: GenerationFieldsFragment[] = [];
  let after: string | null = null;
  do {
    const page: { edges: readonly { node: GenerationFieldsFragment }[]; pageInfo: PageInfo } | null = (
      await connection.send(GenerationsDocument, { first: PAGE_SIZE, after, filter }, options)
    ).generations;
    if (page === null) break;
    found.push(...page.edges.map(({ node }) => node).filter((node) => isOf(intent, node)));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  } while (after !== null);
  const chosen = [...found.filter((one) => !hasFailed(one)), ...found.filter(hasFailed)].slice(
    0,
    intent.count,
  );
  return chosen.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

interface PageInfo {
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

const isOf = (intent: Intent, generation: GenerationFieldsFragment): boolean =>
  generation.prompt === intent.prompt &&
  generation.requestedSize === (intent.size ?? 'SQUARE_1024X1024') &&
  generation.delivery === (intent.delivery ?? 'AT_LEAST_ONCE');
