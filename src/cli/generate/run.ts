import { relative } from 'node:path';
import {
  AbortedError,
  type GeneratedImage,
  type Generation,
  type GessoClient,
  GessoError,
  IdempotencyConflictError,
  NetworkError,
  QuotaExceededError,
} from '../../client/index.ts';
import { CommandFailure, EXIT, type ExitCode } from '../exit-codes.ts';
import { sayFailure } from '../explain.ts';
import { gatewayClient } from '../gateway-client.ts';
import { type FailureContext, gatewayFailure } from '../gateway-failure.ts';
import { extensionOf } from '../images/file-format.ts';
import { planFiles } from '../images/output-files.ts';
import { type PictureFile, writePicture } from '../images/picture-file.ts';
import { pictureAsJson, summaryLines } from '../images/summary.ts';
import { printJson } from '../terminal/json.ts';
import { styleOf } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { farewell } from './farewell.ts';
import { type GenerateOptions, type Order, orderOf } from './order.ts';
import { watch } from './watch.ts';

/** How long a request goes on while the gateway can't be reached any more, in seconds. */
const RETRY_SECONDS = 300;

/** An image that came, or why it did not. */
type Outcome =
  | { readonly ok: true; readonly image: GeneratedImage }
  | { readonly ok: false; readonly error: unknown };

/** Asks for images, shows how they come along, writes them, and tells what they are. @throws {CommandFailure} */
export async function generate(prompt: string, options: GenerateOptions, terminal: Terminal): Promise<void> {
  const order = await orderOf(prompt, options, terminal);
  const { client, context } = gatewayClient(options, terminal, { retrySeconds: RETRY_SECONDS });
  const { rendering, count, toPipe } = order;
  const { force = false } = options;
  const files = toPipe
    ? []
    : await planFiles({
        output: options.output,
        folder: terminal.folder,
        title: order.prompt,
        extension: extensionOf(rendering.format),
        count,
        force,
      });
  const names = files.map((file) => relative(terminal.folder, file));

  const ending = new AbortController();
  const progress = watch(terminal, { files: names, count });
  const stopListening = terminal.onInterrupt((signal) => {
    // A second one ends the process at once.
    stopListening();
    progress.stop();
    farewell(terminal, { signal, prompt, options, key: order.key, generations: progress.generations });
    const code = signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
    ending.abort(new CommandFailure(code));
  });
  try {
    const outcomes = await ask(client, order, {
      signal: ending.signal,
      onProgress: progress.saw,
      onRetry({ error }) {
        // A gateway that was never there: what to do is for the one who asked, not for time.
        const isAbsent =
          error instanceof NetworkError && error.notSent && progress.generations.every((g) => !g);
        if (isAbsent) ending.abort(gatewayFailure(error, context));
        else progress.trouble(error.message);
      },
    });
    const written = await write(outcomes, files, { rendering, force, signal: ending.signal }, terminal);
    progress.stop();
    report(written, order, { names, terminal, json: options.json === true, context });
  } catch (error) {
    progress.stop();
    throw gatewayFailure(error, context);
  } finally {
    stopListening();
  }
}

interface Hearing {
  readonly signal: AbortSignal;
  readonly onProgress: (generation: Generation, index: number) => void;
  readonly onRetry: (retry: { error: Error }) => void;
}

/** @throws what keeps all of them from being asked for, or waited for. */
async function ask(client: GessoClient, order: Order, hearing: Hearing): Promise<readonly Outcome[]> {
  const { prompt, size, count, delivery, provider, key } = order;
  const request = { prompt, size, delivery, provider, idempotencyKey: key };
  if (count > 1) return client.generateImages({ ...request, count }, hearing);
  const { onProgress, ...others } = hearing;
  try {
    const image = await client.generateImage(request, {
      ...others,
      onProgress: (generation) => onProgress(generation, 0),
    });
    return [{ ok: true, image }];
  } catch (error) {
    // As each of several has its own, an error that is about this image is its outcome.
    const isItsOwn =
      error instanceof QuotaExceededError ||
      error instanceof IdempotencyConflictError ||
      (error instanceof GessoError && !(error instanceof AbortedError) && error.generation !== undefined);
    if (!isItsOwn) throw error;
    return [{ ok: false, error }];
  }
}

type Written = { readonly ok: true; readonly picture: PictureFile } | Extract<Outcome, { ok: false }>;

/** One after the other: pictures are large. One that can't be written takes none of the others with it. */
async function write(
  outcomes: readonly Outcome[],
  files: readonly string[],
  destination: Parameters<typeof writePicture>[2],
  terminal: Terminal,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    written.push(
      outcome.ok
        ? await writePicture(outcome.image, files[index], destination, terminal).then(
            (picture) => ({ ok: true, picture }) as const,
            (error: unknown) => {
              if (error instanceof AbortedError) throw error;
              return { ok: false, error } as const;
            },
          )
        : outcome,
    );
  }
  return written;
}

interface Reporting {
  readonly names: readonly string[];
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly context: FailureContext;
}

/** @throws where an image did not come, after all was told. */
function report(
  written: readonly Written[],
  order: Order,
  { names, terminal, json, context }: Reporting,
): void {
  const { stdout, stderr } = terminal;
  const failures = written.map((each) => (each.ok ? undefined : gatewayFailure(each.error, context)));
  const pictures = written.flatMap((each) => (each.ok ? [each.picture] : []));
  if (json) {
    const images = written.map((each, index) =>
      each.ok
        ? { ok: true, ...pictureAsJson(each.picture) }
        : { ok: false, ...failureAsJson(each.error, failures[index]) },
    );
    printJson(stdout, { idempotencyKey: order.key, images });
  } else if (pictures.length > 0) {
    const output = order.toPipe ? stderr : stdout;
    const style = styleOf(output);
    const columns = output.isTTY === true ? (output.columns ?? 80) : undefined;
    output.write(`${summaryLines(pictures, { style, columns, askedFor: true }).join('\n')}\n`);
    output.write(`  ${style.dim(`Key: ${order.key} (with --key: the same again)`)}\n`);
  }
  if (written.length === 1 && failures[0] !== undefined && !json) throw failures[0];
  for (const [index, failure] of failures.entries()) {
    if (failure === undefined) continue;
    if (!(failure instanceof CommandFailure)) throw failure;
    if (!json) sayFailure(stderr, `${names[index]}: ${failure.happened ?? 'failed'}`, failure.advice);
  }
  const codes = failures.flatMap((failure) => (failure instanceof CommandFailure ? [failure.code] : []));
  if (codes.length > 0) throw new CommandFailure(worstOf(codes));
}

/** What may be billed is the news that matters most; then what can't be mended by the same command. */
function worstOf(codes: readonly ExitCode[]): ExitCode {
  const order = [EXIT.unknown, EXIT.failed, EXIT.misused, EXIT.refused, EXIT.later];
  return order.find((code) => codes.includes(code)) ?? EXIT.failed;
}

function failureAsJson(error: unknown, failure: unknown) {
  const { code, retryable, generation } = error as {
    code?: string;
    retryable?: boolean;
    generation?: Generation;
  };
  const { happened, advice } =
    failure instanceof CommandFailure ? failure : { happened: String(error), advice: '' };
  return {
    code: code ?? 'FAILED',
    message: happened ?? '',
    advice: advice ?? null,
    retryable: retryable ?? false,
    generationId: generation?.id ?? null,
  };
}
