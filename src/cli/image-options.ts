import { type Command, Option } from 'commander';
import { wholeNumber } from './options.ts';

/** Adds the options of how a picture is written. */
export const withImageOptions = (command: Command): Command =>
  command
    .option('-o, --output <path>', 'file or folder; - for a pipe (default: named after the prompt)')
    .addOption(
      new Option(
        '-f, --format <format>',
        "png, jpeg, webp or avif (default: by the file's name, else png)",
      ).choices(['png', 'jpeg', 'jpg', 'webp', 'avif']),
    )
    .option('--max-width <pixels>', 'make it no wider', wholeNumber(1, 8192))
    .option('--max-height <pixels>', 'make it no higher', wholeNumber(1, 8192))
    .addOption(
      new Option('--fit <fit>', 'contain: inside both; cover: fill both, and crop')
        .choices(['contain', 'cover'])
        .default('contain'),
    )
    .option('--quality <number>', 'of jpeg, webp and avif, 1 to 100', wholeNumber(1, 100));
