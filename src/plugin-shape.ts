import { z } from 'zod';
import { SCOPES } from './generation.ts';

/** What a plug-in looks like, as far as it can be seen before anything of it is used. */

const text = z.string();
const list = <Item extends z.ZodType>(item: Item) => z.array(item).optional();
const fn = z.custom((value) => typeof value === 'function', 'must be a function');
const access = { public: z.boolean().optional(), scope: z.enum(SCOPES).optional() };
const isEither = ({ public: isPublic, scope }: { public?: boolean | undefined; scope?: unknown }) =>
  !(isPublic === true && scope !== undefined);
const EITHER = 'is public, and asks for a scope';

// What somebody may have written as a class has more in it than the contract says.
const provider = z.looseObject({
  name: text,
  models: z.array(text),
  sizes: z.array(text),
  generate: fn,
  close: fn,
});
const auditSink = z.looseObject({
  name: text.regex(/^[a-z0-9-]{1,100}$/, 'must be lowercase letters, digits and hyphens'),
  from: z.enum(['now', 'beginning']).optional(),
  write: fn,
});

const place = z.strictObject({ middleware: fn, before: text.optional(), after: text.optional() });
const extension = z
  .strictObject({ typeDefs: text, resolvers: z.looseObject({}).optional(), ...access })
  .refine(isEither, EITHER);
const route = z
  .strictObject({
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
    path: text.regex(
      /^\/[\w.~/-]*$/,
      'must begin with a slash, and have no parameters or special characters',
    ),
    handler: fn,
    ...access,
  })
  .refine(isEither, EITHER);

const PLUGIN = z.strictObject({
  name: text.min(1),
  providers: list(provider),
  requestMiddleware: list(place),
  attemptMiddleware: list(place),
  schema: z.preprocess((given) => (given === undefined ? [] : [given].flat()), z.array(extension)),
  auditSinks: list(auditSink),
  httpHooks: z
    .strictObject({ onRequest: fn.optional(), onResponse: fn.optional(), routes: list(route) })
    .optional(),
});

/** What is wrong with a plug-in, each with the field that it is about; empty where nothing is. */
export function problemsOfPlugin(plugin: unknown): string[] {
  const { error } = PLUGIN.safeParse(plugin);
  return (error?.issues ?? []).map((issue) => {
    const place = issue.path.map(String).join('.');
    const inPlace = place === '' ? '' : ` of \`${place}\``;
    if (issue.code === 'unrecognized_keys')
      return `there is no field \`${issue.keys.join('`, `')}\`${inPlace}`;
    return `\`${place}\` ${issue.message.replace(/^Invalid \w+: expected/, 'must be')}`;
  });
}
