import { InvalidArgumentError } from 'commander';

/** Parses an option that is a whole number within bounds. */
export const wholeNumber =
  (least = 0, most = 999_999_999) =>
  (text: string): number => {
    if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
    const value = Number(text);
    if (value < least) throw new InvalidArgumentError(`It must be ${least} at least.`);
    if (value > most) throw new InvalidArgumentError(`It must be ${most} at most.`);
    return value;
  };
