import type { GeneratedImage, GessoClient } from '../../client/index.ts';
import type { ClientOptions } from '../client-settings.ts';
import { CommandFailure, EXIT, misuse } from '../exit-codes.ts';
import { gatewayClient } from '../gateway-client.ts';
import { gatewayFailure } from '../gateway-failure.ts';
import { nodeIds, wholeId } from '../ids.ts';
import { printJson } from '../terminal/json.ts';
import { styleOf } from '../terminal/style.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { extensionOf, type RenderingOptions, renderingOf } from './file-format.ts';
import { planFiles } from './output-files.ts';
import { writePicture } from './picture-file.ts';
import { pictureAsJson, summaryLines } from './summary.ts';

export interface ImageOptions extends ClientOptions, RenderingOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Fetches an image by its id or its generation's, and writes it. @throws {CommandFailure} */
export async function fetchImage(typed: string, options: ImageOptions, terminal: Terminal): Promise<void> {
  const { stdout, stderr, folder, program } = terminal;
  const toPipe = options.output === '-';
  if (toPipe && options.json === true) throw misuse('--json and --output - both mean standard output.');
  if (toPipe && stdout.isTTY === true) {
    throw misuse(
      "A picture can't be shown in a terminal.",
      'Pipe it on, or name a file: --output poster.png',
    );
  }
  const { force = false } = options;
  const rendering = renderingOf(options);
  const { client, context } = gatewayClient(options, terminal, { retrySeconds: 0 });
  try {
    const ids = nodeIds(await wholeId(typed, client, program), ['Image', 'Generation'], program);
    const image = await find(client, ids, program);
    const [file] = toPipe
      ? []
      : await planFiles({
          output: options.output,
          folder,
          title: image.generation.prompt,
          extension: extensionOf(rendering.format),
          count: 1,
          force,
        });
    const picture = await writePicture(image, file, { rendering, force }, terminal);
    if (options.json === true) return printJson(stdout, pictureAsJson(picture));
    const output = toPipe ? stderr : stdout;
    const columns = output.isTTY === true ? (output.columns ?? 80) : undefined;
    output.write(
      `${summaryLines([picture], { style: styleOf(output), columns, askedFor: false }).join('\n')}\n`,
    );
  } catch (error) {
    throw gatewayFailure(error, context);
  }
}

async function find(
  client: GessoClient,
  ids: ReturnType<typeof nodeIds>,
  program: string,
): Promise<GeneratedImage> {
  for (const { type, id } of ids) {
    if (type === 'Image') {
      const image = await client.image(id);
      if (image !== undefined) return checked(image, program);
    } else {
      const generation = await client.generation(id);
      if (generation?.image !== undefined) return checked(generation.image, program);
      if (generation !== undefined) throw noImage(generation.status, generation.failure?.message);
    }
  }
  throw new CommandFailure(EXIT.failed, {
    happened: 'There is no such image or generation that this key may see.',
    advice: `See ${program} generations.`,
  });
}

function checked(image: GeneratedImage, program: string): GeneratedImage {
  if (image.removedAt === undefined) return image;
  throw new CommandFailure(EXIT.failed, {
    happened: `The bytes of this image were removed by age, ${image.removedAt.toISOString()}.`,
    advice: `Ask for a new one: ${program} generate …`,
  });
}

/** A generation that goes on has none yet; one that ended so has none. */
function noImage(status: string, failure: string | undefined): CommandFailure {
  if (status === 'QUEUED' || status === 'RUNNING') {
    return new CommandFailure(EXIT.later, {
      happened: `It is still ${status.toLowerCase()}.`,
      advice: 'Try again later.',
    });
  }
  const why = failure === undefined ? '' : `: ${failure}`;
  return new CommandFailure(status === 'UNKNOWN' ? EXIT.unknown : EXIT.failed, {
    happened: `It ended ${status} without an image${why}`,
  });
}
