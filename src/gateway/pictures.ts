import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { createImageRoutes } from '../http/images.ts';
import { openBlobStore } from '../images/open-store.ts';
import { createRenditions } from '../images/renditions.ts';
import { createUrlSigner } from '../images/signed-urls.ts';
import { createStaging } from '../images/staging.ts';
import { createImagePort } from './image-port.ts';
import { urlSecret } from './secrets.ts';

export interface PicturesOptions {
  readonly config: Config;
  readonly publicUrl: () => string;
  readonly now: () => Date;
  readonly log: Logger;
}

/** Where pictures come in, are kept, and are looked at. */
export async function openPictures({ config, publicUrl, now, log }: PicturesOptions) {
  await using opened = new AsyncDisposableStack();
  const store = await openBlobStore(config.storageUrl);
  opened.defer(store.close);
  const staging = await createStaging({
    folder: join(config.dataDir, 'staging'),
    rejectedFolder: join(config.dataDir, 'rejected'),
    drainsAtOnce: config.bodiesAtOnce,
  });
  const renditions = await createRenditions({
    store,
    folder: join(config.dataDir, 'renditions'),
    maxBytes: config.renditionCacheBytes,
    // With two decodes it leaves a thread of libuv's four to the disk.
    rendersAtOnce: 1,
  });
  const nowMs = () => now().getTime();
  const signer = createUrlSigner({
    secret: await urlSecret(config),
    publicUrl,
    now: nowMs,
    roundUpToMs: 1000,
  });
  const { imageDelivery: delivery, urlLifetimeSeconds } = config;
  const routes = createImageRoutes({ signer, store, renditions, delivery, now: nowMs, log });
  const stack = opened.move();
  return {
    store,
    staging,
    renditions,
    /** Where the schema sends clients to look at images. */
    port: createImagePort({ signer, store, urlLifetimeSeconds, now }),
    /** Answers them. */
    routes,
    close: () => stack.disposeAsync(),
  };
}
