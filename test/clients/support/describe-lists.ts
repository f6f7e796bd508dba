import { describe, expect, it } from 'vitest';
import { type Bench, PATIENCE } from './bench.ts';
import type { Session } from './driver.ts';

/** Makes so many, one after another, and returns their ids, newest first as the list has them. */
export async function generationsOf(session: Session, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 1; number <= count; number += 1) {
    const result = await session.generateImage({ prompt: `Picture ${number}` });
    if (result.__typename !== 'GenerateImageSuccess') throw new Error(`It answered ${result.__typename}.`);
    ids.unshift(result.generation.id);
  }
  return ids;
}

export function describeLists({ open }: Bench): void {
  describe('a paged list', () => {
    it('grows by the next page until there is none', async () => {
      const { session } = await open();
      const ids = await generationsOf(session, 5);
      const list = await session.list(2);
      const shown = () => list.now().map(({ id }) => id);
      expect(shown()).toEqual(ids.slice(0, 2));
      expect(list.hasNext()).toBe(true);
      await list.loadNext();
      await expect.poll(shown, PATIENCE).toEqual(ids.slice(0, 4));
      expect(list.hasNext()).toBe(true);
      await list.loadNext();
      await expect.poll(shown, PATIENCE).toEqual(ids);
      expect(list.hasNext()).toBe(false);
      list.close();
    });

    it('is empty where there is nothing', async () => {
      const { session } = await open();
      const list = await session.list(2);
      expect(list.now()).toEqual([]);
      expect(list.hasNext()).toBe(false);
      list.close();
    });
  });

  describe('node', () => {
    it('fetches anything again by its id', async () => {
      const { session } = await open();
      const [id = ''] = await generationsOf(session, 1);
      expect(await session.refetch(id)).toMatchObject({
        id,
        status: 'SUCCEEDED',
        image: { id: expect.any(String) },
      });
    });

    it("is null for what is another caller's, or nobody's", async () => {
      const { session } = await open();
      const { session: other } = await open();
      const [id = ''] = await generationsOf(other, 1);
      expect(await session.refetch(id)).toBeNull();
      expect(await session.refetch('nonsense')).toBeNull();
    });
  });
}
