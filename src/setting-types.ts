import { z } from 'zod';

/** A whole number between these, both included. */
export const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `must be at least ${least}`).max(most, `must be at most ${most}`));

/** Without slashes at its end. */
export const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'must be an http or https URL',
  )
  .transform((text) => text.replace(/\/+$/, ''));

/** Milliseconds, in order. */
export const delays = z
  .string()
  .regex(/^(none|\d+(\s*,\s*\d+)*)$/, 'must be whole numbers with commas between, or "none"')
  .transform((text) => (text === 'none' ? [] : text.split(',').map(Number)));

/** On or off. */
export const flag = z
  .enum(['true', 'false'], 'must be "true" or "false"')
  .transform((text): boolean => text === 'true');

/** `name=number`, with commas between. */
export const limits = z
  .string()
  .regex(
    /^[a-z0-9-]+=[1-9]\d{0,6}(\s*,\s*[a-z0-9-]+=[1-9]\d{0,6})*$/,
    'must be like "bettertoken=50,other=20"',
  )
  .transform(
    (text): ReadonlyMap<string, number> =>
      new Map(
        text
          .split(',')
          .map((part) => part.trim().split('='))
          .map(([name = '', count]) => [name, Number(count)]),
      ),
  );

const namesApart = (parts: readonly (readonly string[])[]): boolean =>
  new Set(parts.map(([name]) => name)).size === parts.length;

/** Names in order, or names with weights. */
export const route = z
  .string()
  .regex(
    /^[a-z0-9-]+(\s*,\s*[a-z0-9-]+)*$|^[a-z0-9-]+=[1-9]\d{0,6}(\s*,\s*[a-z0-9-]+=[1-9]\d{0,6})*$/,
    'must be like "bettertoken,other", or with weights like "bettertoken=3,other=1"',
  )
  .transform((text) => text.split(',').map((part) => part.trim().split('=')))
  .refine(namesApart, 'must name each provider once')
  .transform((parts) =>
    parts.some(([, weight]) => weight !== undefined)
      ? {
          strategy: 'weighted' as const,
          weights: Object.fromEntries(parts.map(([name = '', weight]) => [name, Number(weight)])),
        }
      : { strategy: 'ordered' as const, order: parts.map(([name = '']) => name) },
  );

/** Host names, with `*.` in front for any name below it. */
export const hosts = z
  .string()
  .toLowerCase()
  .regex(
    /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(\s*,\s*(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*)*$/,
    'must be host names with commas between, like "hooks.example.com,*.example.org"',
  )
  .transform((text): readonly string[] => text.split(',').map((part) => part.trim()));

/** Origins of web pages, or `*` for any. */
export const origins = z
  .string()
  .regex(
    /^(\*|https?:\/\/[^\s,/]+(\s*,\s*https?:\/\/[^\s,/]+)*)$/,
    'must be origins with commas between, like "https://app.example.com", or "*"',
  )
  .transform((text): readonly string[] => text.split(',').map((part) => part.trim()));

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** What a header can carry. */
export const secret = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces');
