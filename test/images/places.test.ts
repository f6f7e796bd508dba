import { describe, expect, it } from 'vitest';
import { createPlaces } from '../../src/images/places.ts';

describe('createPlaces', () => {
  it('lets no more work at once than there are places, and all in the end', async () => {
    const places = createPlaces(3);
    let working = 0;
    let most = 0;
    const done = await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        places.run(async () => {
          working += 1;
          most = Math.max(most, working);
          await new Promise(setImmediate);
          working -= 1;
          return number;
        }),
      ),
    );
    expect(most).toBe(3);
    expect(done).toEqual(Array.from({ length: 20 }, (_, number) => number));
  });

  it('frees the place of work that failed', async () => {
    const places = createPlaces(1);
    await expect(places.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(places.run(async () => 'yes')).resolves.toBe('yes');
  });

  it('serves those who come back before those who have not begun', async () => {
    const places = createPlaces(1);
    await places.take();
    const served: string[] = [];
    const waiting = [
      places.take().then(() => served.push('new')),
      places.take({ back: true }).then(() => served.push('back')),
    ];
    places.giveBack();
    await waiting[1];
    expect(served).toEqual(['back']);
    places.giveBack();
    await waiting[0];
    expect(served).toEqual(['back', 'new']);
  });

  it('refuses to have no place', () => {
    expect(() => createPlaces(0)).toThrow(TypeError);
  });
});
