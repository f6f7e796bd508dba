import { hasScope, type Image } from '../generation.ts';
import type { Context } from './context.ts';
import type { ExtensionContext, ExtensionReads } from './extension.ts';
import { isUuid } from './ids.ts';
import { checkedExpiry } from './url-lifetime.ts';

const views = new WeakMap<Context, ExtensionContext>();

/**
 * What plug-ins see of a request. Not the gateway: who could ask for images here would do so past the budget of the
 * operation, which is counted by what is written in it.
 */
export function forPlugins(context: Context): ExtensionContext {
  const known = views.get(context);
  if (known !== undefined) return known;
  const { principal, requestId, signal, gateway } = context;
  const view: ExtensionContext = {
    principal,
    requestId,
    signal,
    read: readsOf(context),
    imageUrl: (image, expiresInSeconds) => gateway.images.url(image, checkedExpiry(expiresInSeconds)),
  };
  views.set(context, view);
  return view;
}

function readsOf({ principal, read }: Context): ExtensionReads {
  const seesAll = principal !== undefined && hasScope(principal, 'generations:read');
  const maySee = ({ clientId }: Image): boolean => seesAll || clientId === principal?.clientId;
  /** Asks for what can be in the ledger, and only where that is anything. */
  const known = async <Found, Nothing>(
    ids: readonly string[],
    ask: (ids: readonly string[]) => Promise<Found>,
    nothing: Nothing,
  ): Promise<Found | Nothing> => {
    const uuids = ids.filter(isUuid);
    return uuids.length === 0 ? nothing : ask(uuids);
  };
  return {
    generationsById: (ids) => known(ids, read.generationsById, []),
    imagesById: (ids) => known(ids, read.imagesById, []),
    async imagesOf(generationIds) {
      // Of whoever they are: inside, this is asked for generations that were seen before.
      const images = await known(generationIds, read.imagesOf, new Map<string, Image>());
      return new Map([...images].filter(([, image]) => maySee(image)));
    },
    newestGenerations: (filter, limit) =>
      read.listGenerations(filter, { limit, after: undefined, before: undefined, inverted: false }),
  };
}
