import { Command, Option } from 'commander';
import { withClientOptions } from './client-settings.ts';
import type { GenerateOptions } from './generate/order.ts';
import { exitCodes, withExamples } from './help.ts';
import { withImageOptions } from './image-options.ts';
import { wholeNumber } from './options.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso generate`: asks a running gateway for images, and writes them to files. */
export function generateCommand(terminal: Terminal): Command {
  const command = new Command('generate')
    .description('Ask a running gateway for images, and write them to files.')
    .argument('<prompt>', 'what to draw; - reads it from standard input')
    .option(
      '-s, --size <size>',
      'canvas to ask for, such as landscape-1536x1024, or auto',
      'square-1024x1024',
    )
    .option('-n, --count <number>', 'how many images, 1 to 10', wholeNumber(1, 10), 1);
  withImageOptions(command)
    .addOption(
      new Option('--delivery <guarantee>', "whether to send again where the provider's answer was lost")
        .choices(['at-least-once', 'at-most-once'])
        .default('at-least-once'),
    )
    .option('--provider <name>', 'as `providers` of the API has it (default: as the gateway chooses)')
    .option('--key <key>', 'idempotency key: the same again gets the same image (default: a new one)')
    .option('--force', 'replace files that are there')
    .option('--json', 'print one JSON document');
  withClientOptions(command).action(async (prompt: string, options: GenerateOptions) => {
    const { generate } = await import('./generate/run.ts');
    await generate(prompt, options, terminal);
  });
  return withExamples(command, [
    ['gesso generate "A lighthouse at dawn, gouache"', 'Writes a-lighthouse-at-dawn-gouache.png.'],
    [
      'gesso generate "A poster" --size portrait-1024x1536 -n 4 -o poster.webp',
      'Writes poster-1.webp to poster-4.webp.',
    ],
    [
      'gesso generate "An icon of a boat" --max-width 256 --output - | wl-copy',
      'The picture goes into the pipe, progress to the terminal.',
    ],
    ['gesso generate - < prompt.txt', 'The prompt is read from a file.'],
  ]).addHelpText('after', exitCodes());
}
