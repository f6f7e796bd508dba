/** A bounded number of places to work in; see `createPlaces`. */
export interface Places {
  /**
   * Resolves once a place is free, first come, first served. Whoever comes `back` with work already in its hands
   * goes before those who have not begun, so that what is in memory leaves it first.
   */
  take(options?: { back: boolean }): Promise<void>;
  /** Gives a place to the next in line. */
  giveBack(): void;
  /** Does the work in a place of its own. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** Makes `count` places: at most so many pieces of work go on at once, the others wait in line. */
export const createPlaces = (count: number): Places => {
  if (!Number.isInteger(count) || count < 1) throw new TypeError('There must be one place at least.');
  const returning: (() => void)[] = [];
  const arriving: (() => void)[] = [];
  let free = count;

  const take: Places['take'] = ({ back } = { back: false }) => {
    if (free > 0) {
      free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => (back ? returning : arriving).push(resolve));
  };

  const giveBack: Places['giveBack'] = () => {
    const next = returning.shift() ?? arriving.shift();
    if (next === undefined) free += 1;
    else next();
  };

  return {
    take,
    giveBack,
    async run(work) {
      await take();
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
  };
};
