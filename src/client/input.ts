/**
 * What callers gave, as JSON has it: dates as ISO 8601, and what is undefined left out, because GraphQL refuses null
 * where a default stands.
 */
export const toInput = <Input>(given: object): Input => JSON.parse(JSON.stringify(given)) as Input;
