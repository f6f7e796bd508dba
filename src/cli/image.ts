import { Command } from 'commander';
import { withClientOptions } from './client-settings.ts';
import { withExamples } from './help.ts';
import { withImageOptions } from './image-options.ts';
import type { ImageOptions } from './images/fetch-image.ts';
import type { Terminal } from './terminal/terminal.ts';

/** `gesso image`: writes an image that was made before. */
export function imageCommand(terminal: Terminal): Command {
  const command = new Command('image')
    .description('Write an image that was made before to a file.')
    .argument('<id>', 'of the image or of its generation, as gesso generations shows it');
  withImageOptions(command)
    .option('--force', 'replace a file that is there')
    .option('--json', 'print one JSON document');
  withClientOptions(command).action(async (id: string, options: ImageOptions) => {
    const { fetchImage } = await import('./images/fetch-image.ts');
    await fetchImage(id, options, terminal);
  });
  return withExamples(command, [
    ['gesso image 01934b2e-7d1c-7f2a-9c3d-2b1e5a7f8c90', 'Writes a PNG that is named after the prompt.'],
    [
      'gesso image 01934b2e-7d1c-7f2a-9c3d-2b1e5a7f8c90 --output card.webp --max-width 640',
      'Smaller, and as WebP.',
    ],
  ]);
}
