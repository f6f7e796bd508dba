import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BehaviourQueue } from './behaviour-queue.ts';
import { textBody } from './body.ts';
import type { JournalWriter } from './journal.ts';
import { perform } from './perform.ts';
import type { PictureSource } from './pictures.ts';
import { errorJson, Refusal } from './refusal.ts';
import { sendIfThere } from './send.ts';
import { checkKey, checkRoute, parseGeneration } from './validate.ts';
import { receive, type Visit } from './visit.ts';

export interface GenerationsOptions {
  /** The only key that is accepted; any where undefined. */
  readonly apiKey: string | undefined;
  /** How long making a picture takes, in milliseconds. */
  readonly latencyMs: number;
  readonly pictures: PictureSource;
  readonly queue: BehaviourQueue;
  readonly writer: JournalWriter;
  /** Fires when the sandbox closes. */
  readonly closing: AbortSignal;
}

export type Handler = (incoming: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Answers everything but the control surface. */
export function createGenerationsHandler(options: GenerationsOptions): Handler {
  const { apiKey, latencyMs, pictures, queue, writer, closing } = options;
  const accepts = (key: string | undefined): boolean =>
    key !== undefined && (apiKey === undefined || key === apiKey);
  let validRequests = 0;

  return async function generations(incoming, response) {
    const visit = await receive(incoming, response, { writer, accepts, closing });
    if (visit === undefined) return;
    try {
      await generate(visit, incoming);
    } catch (error) {
      // The journal says that the connection ended and when; there is nobody left to tell.
      if (!visit.gone.aborted) await answerError(visit, error);
    }
  };

  async function generate(visit: Visit, incoming: IncomingMessage): Promise<void> {
    const { entry, key } = visit;
    checkRoute(entry.method, entry.path);
    checkKey(key, accepts(key));
    const fields = parseGeneration(incoming.headers, { byteSize: entry.body.byteLength, json: entry.json });
    validRequests += 1;
    const request = { ...fields, number: validRequests, requestId: entry.requestId };
    const behaviour = queue.take(request);
    visit.record({ behaviour: behaviour.kind });
    const order = {
      created: Math.floor(Date.now() / 1000),
      revisedPrompt: `${request.prompt} (as painted by the Gesso sandbox)`,
      key: key ?? '',
      picture: () => pictures(request),
    };
    await perform(behaviour, { visit, order, latencyMs });
  }
}

/** Tells the client why there is no picture: a refusal, or a 500 for what went wrong in the sandbox itself. */
async function answerError(visit: Visit, error: unknown): Promise<void> {
  const refusal = error instanceof Refusal ? error : undefined;
  if (refusal === undefined) visit.record({ error });
  if (visit.response.headersSent) {
    visit.breaking();
    visit.response.destroy();
    return;
  }
  const status = refusal?.status ?? 500;
  const body = refusal?.body ?? {
    message: `The sandbox itself failed: ${String(error)}`,
    type: 'sandbox_error',
    param: null,
    code: null,
  };
  visit.record({ status });
  const headers = { 'content-type': 'application/json', ...refusal?.headers };
  await sendIfThere(visit.response, { status, headers, body: textBody(errorJson(body)) }, visit.gone);
}
