/**
 * The name of an attempt's image in a blob store. Named after the attempt, so that no two writers share one, and
 * spread over 256 folders by the id's last digits: the first ones of a UUIDv7 are the time.
 */
export const blobKeyOf = (attemptId: string): string => {
  const id = attemptId.toLowerCase();
  if (!/^[0-9a-f-]{2,64}$/.test(id)) throw new TypeError('An attempt id is hex digits and hyphens.');
  return `${id.slice(-2)}/${id}.png`;
};

/**
 * Refuses a key that could leave its store's root or that two stores might read differently.
 *
 * @throws {TypeError}
 */
export const assertBlobKey = (key: string): void => {
  const isGood = key.length <= 512 && /^[a-z0-9-][a-z0-9.-]{0,199}(\/[a-z0-9-][a-z0-9.-]{0,199})*$/.test(key);
  if (!isGood)
    throw new TypeError('A blob key is lowercase letters, digits, hyphens and dots, in folders by "/".');
};
