import { describe, expect, it } from 'vitest';
import { createWriteBatch, type WriteBatchOptions } from '../../src/ledger/write-batch.ts';

type Write = WriteBatchOptions<string, string>['write'];

/** A batch over a store in memory, which keeps every transaction that was asked for. */
function createBatch(options: Partial<WriteBatchOptions<string, string>> = {}) {
  const written: string[][] = [];
  const write: Write = async (items) => {
    written.push([...items]);
    await new Promise((resolve) => setImmediate(resolve));
    return options.write === undefined ? items.map((item) => `${item}!`) : options.write(items);
  };
  const batch = createWriteBatch<string, string>({ ...options, write });
  return { batch, written, add: (...items: string[]) => Promise.all(items.map((item) => batch.add(item))) };
}

const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const refused = Object.assign(new Error('invalid byte sequence'), { code: '22021' });

describe('a write batch', () => {
  it('writes together what arrives together, and gives each its own result', async () => {
    const { add, written } = createBatch();
    expect(await add('a', 'b', 'c')).toEqual(['a!', 'b!', 'c!']);
    expect(written).toEqual([['a', 'b', 'c']]);
  });

  it('writes together what arrives in one turn of the loop, from whatever sockets', async () => {
    const { batch, written } = createBatch();
    const first = batch.add('a');
    await Promise.resolve();
    await new Promise((resolve) => process.nextTick(resolve));
    await Promise.all([first, batch.add('b')]);
    expect(written).toEqual([['a', 'b']]);
  });

  it('has one batch under way at a time; what arrives meanwhile makes the next', async () => {
    let underWay = 0;
    const { batch, written } = createBatch({
      async write(items) {
        underWay += 1;
        expect(underWay).toBe(1);
        if (items.includes('a')) late.push(batch.add('b'), batch.add('c'));
        await new Promise((resolve) => setTimeout(resolve, 5));
        underWay -= 1;
        return items;
      },
    });
    const late: Promise<string>[] = [];
    await batch.add('a');
    expect(await Promise.all(late)).toEqual(['b', 'c']);
    expect(written).toEqual([['a'], ['b', 'c']]);
  });

  it('is no larger than it may be', async () => {
    const { add, written } = createBatch({ maxItems: 2 });
    expect(await add('a', 'b', 'c', 'd', 'e')).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
    expect(written).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('is sorted as told, and each caller still gets its own result', async () => {
    const { add, written } = createBatch({ compare: (a, b) => (a < b ? -1 : 1) });
    expect(await add('c', 'a', 'b')).toEqual(['c!', 'a!', 'b!']);
    expect(written).toEqual([['a', 'b', 'c']]);
  });

  it('works on after a rest', async () => {
    const { add, written } = createBatch();
    await add('a');
    await add('b');
    expect(written).toEqual([['a'], ['b']]);
  });
});

describe('a write batch that fails', () => {
  const refusing: Write = async (items) => {
    if (items.includes('bad')) throw refused;
    return items.map((item) => `${item}!`);
  };

  it('is replayed row by row, so that a bad row fails alone', async () => {
    const { batch, written } = createBatch({ write: refusing });
    const outcomes = await Promise.allSettled(['a', 'bad', 'b'].map((item) => batch.add(item)));
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'a!' },
      { status: 'rejected', reason: refused },
      { status: 'fulfilled', value: 'b!' },
    ]);
    expect(written).toEqual([['a', 'bad', 'b'], ['a'], ['bad'], ['b']]);
  });

  it('is not replayed for a bad row that was alone', async () => {
    const { batch, written } = createBatch({ write: refusing });
    await expect(batch.add('bad')).rejects.toBe(refused);
    expect(written).toEqual([['bad']]);
  });

  it('fails all at once where the database is away: a replay would wait for each', async () => {
    const { batch, written } = createBatch({ write: () => Promise.reject(away) });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((item) => batch.add(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(written).toEqual([['a', 'b', 'c']]);
  });

  it('fails the rows that are left when the database goes away during the replay', async () => {
    let calls = 0;
    const { batch } = createBatch({
      async write(items) {
        calls += 1;
        if (calls === 1) throw refused;
        if (calls > 2) throw away;
        return items;
      },
    });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((item) => batch.add(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('does not stop the next one', async () => {
    const { batch } = createBatch({ write: refusing });
    await expect(batch.add('bad')).rejects.toBe(refused);
    expect(await batch.add('a')).toBe('a!');
  });
});

describe('a write batch, settling', () => {
  it('waits for what is under way, and for what arrives meanwhile', async () => {
    const { batch, written } = createBatch();
    const first = batch.add('a');
    const settled = batch.settle();
    void first.then(() => batch.add('b'));
    await settled;
    await batch.settle();
    expect(written.flat()).toEqual(['a', 'b']);
  });

  it('is done at once where nothing is', async () => {
    await expect(createBatch().batch.settle()).resolves.toBeUndefined();
  });
});
