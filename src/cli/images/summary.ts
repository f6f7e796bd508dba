import { bytes, duration } from '../terminal/quantities.ts';
import type { Style } from '../terminal/style.ts';
import { oneLine, pad, widthOf, wrap } from '../terminal/text.ts';
import type { PictureFile } from './picture-file.ts';

/** Beyond this a line is hard to read. */
const WIDEST = 100;

const millisecondsOf = ({ image: { generation } }: PictureFile): number | undefined =>
  generation.finishedAt === undefined
    ? undefined
    : generation.finishedAt.getTime() - generation.createdAt.getTime();

export interface SummaryOptions {
  readonly style: Style;
  /** Of the terminal. */
  readonly columns: number | undefined;
  /** Whether they were asked for just now: then it matters that nothing was bought for a replay. */
  readonly askedFor: boolean;
}

/** What was written: a line for each picture, or two where one does not do, and what was really drawn. */
export function summaryLines(
  pictures: readonly PictureFile[],
  { style, columns = Number.POSITIVE_INFINITY, askedFor }: SummaryOptions,
): string[] {
  const rows = pictures.map((picture) => [
    oneLine(picture.file ?? 'written to standard output'),
    ...factsOf(picture, askedFor),
  ]);
  const widths = rows[0]?.map((_, place) => Math.max(...rows.map((row) => widthOf(row[place] ?? '')))) ?? [];
  const width = widths.reduce((sum, each) => sum + each + GAP.length, 0);
  const isOneLine = pictures.length > 1 && width <= columns;
  const mark = style.green('✓');
  const linesOf = ([file = '', ...facts]: readonly string[]): string[] => {
    if (!isOneLine) return [`${mark} ${style.bold(file)}`, `  ${facts.filter(Boolean).join(', ')}`];
    const cells = facts.map((fact, place) => pad(fact, widths[place + 1] ?? 0));
    return [`${mark} ${style.bold(pad(file, widths[0] ?? 0))}${GAP}${cells.join(GAP).trimEnd()}`];
  };

  const prompts = new Set(pictures.map(({ image }) => image.revisedPrompt ?? ''));
  const room = Math.max(30, Math.min(columns, WIDEST) - 2);
  const drawnAs = (prompt: string | undefined) =>
    prompt ? wrap(`Drawn as: ${oneLine(prompt)}`, room).map((line) => `  ${style.dim(line)}`) : [];
  if (prompts.size === 1) return [...rows.flatMap(linesOf), ...drawnAs(pictures[0]?.image.revisedPrompt)];
  return pictures.flatMap(({ image }, index) => [
    ...linesOf(rows[index] ?? []),
    ...drawnAs(image.revisedPrompt),
  ]);
}

const GAP = '  ';

function factsOf(picture: PictureFile, askedFor: boolean): string[] {
  const { width, height, byteSize, contentType, image } = picture;
  const ms = millisecondsOf(picture);
  return [
    `${width} × ${height}`,
    `${bytes(byteSize)} ${formatName(contentType)}`,
    image.generation.provider ?? '',
    // The time of a replay was another day's.
    image.replayed && askedFor ? 'replayed: nothing was bought' : ms === undefined ? '' : duration(ms),
  ];
}

const formatName = (contentType: string): string =>
  ({ 'image/png': 'PNG', 'image/jpeg': 'JPEG', 'image/webp': 'WebP', 'image/avif': 'AVIF' })[contentType] ??
  contentType;

/** A picture as JSON. */
export function pictureAsJson(picture: PictureFile) {
  const { image, file, width, height, byteSize, contentType } = picture;
  const { generation } = image;
  const ms = millisecondsOf(picture);
  return {
    file: file ?? null,
    width,
    height,
    byteSize,
    contentType,
    replayed: image.replayed,
    /** Of the stored PNG. */
    sha256: image.sha256,
    url: image.url,
    revisedPrompt: image.revisedPrompt ?? null,
    imageId: image.id,
    generationId: generation.id,
    idempotencyKey: generation.idempotencyKey ?? null,
    provider: generation.provider ?? null,
    model: generation.model ?? null,
    attempts: generation.attempts.length,
    seconds: ms === undefined ? null : ms / 1000,
  };
}
