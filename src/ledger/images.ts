import type { Image } from '../generation.ts';
import type { Database } from './database.ts';
import { toImage } from './rows.ts';
import { type Viewer, visibleTo } from './viewer.ts';

/** The images of these generations, by generation id. */
export async function imagesOf(db: Database, generationIds: readonly string[]): Promise<Map<string, Image>> {
  if (generationIds.length === 0) return new Map();
  const rows = await db.selectFrom('images').selectAll().where('generationId', 'in', generationIds).execute();
  return new Map(rows.map((row) => [row.generationId, toImage(row)]));
}

/** The images with these ids that the viewer may see, in any order. */
export async function imagesById(db: Database, viewer: Viewer, ids: readonly string[]): Promise<Image[]> {
  const rows = await db
    .selectFrom('images')
    .selectAll()
    .where('id', 'in', ids)
    .where(visibleTo(viewer))
    .execute();
  return rows.map(toImage);
}
