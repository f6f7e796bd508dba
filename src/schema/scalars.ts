import { GraphQLError } from 'graphql';
import { builder } from './builder.ts';

/** RFC 3339, the profile of ISO 8601 that the scalar's specification names. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i;

/** Whether the day is in the calendar; `Date` takes 30 February for 1 March. */
function isDay(text: string): boolean {
  const [day = ''] = text.split(/T/i);
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

builder.scalarType('DateTime', {
  description: 'An ISO 8601 instant in UTC, millisecond precision.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (value) => value.toISOString(),
  parseValue(value) {
    const instant =
      typeof value === 'string' && INSTANT.test(value) && isDay(value) ? new Date(value) : undefined;
    if (instant === undefined || Number.isNaN(instant.getTime())) {
      throw new GraphQLError('DateTime takes an ISO 8601 instant like "2026-01-31T12:00:00Z".');
    }
    return instant;
  },
});

builder.scalarType('URL', {
  description: 'An absolute URL.',
  specifiedByURL: 'https://url.spec.whatwg.org/',
  serialize: (value) => value,
  parseValue(value) {
    if (typeof value !== 'string' || !URL.canParse(value))
      throw new GraphQLError('URL takes an absolute URL.');
    return value;
  },
});

builder.scalarType('Base64String', {
  description: 'Base64 text (RFC 4648 section 4, padded, no line breaks).',
  specifiedByURL: 'https://datatracker.ietf.org/doc/html/rfc4648#section-4',
  serialize: (value) => value,
  parseValue(value) {
    if (
      typeof value !== 'string' ||
      !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
    ) {
      throw new GraphQLError('Base64String takes base64 text, padded and without line breaks.');
    }
    return value;
  },
});
