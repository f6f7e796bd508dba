import sharp from 'sharp';

/**
 * sharp as this project uses it, set once for the process.
 *
 * No cache: every file is decoded once, and a cache of pixels would only hold memory. One thread a picture: several
 * pictures at once use the cores better than one picture on several, and the bound on pictures is ours.
 *
 * Each picture at work occupies one of libuv's threads (four unless `UV_THREADPOOL_SIZE` says otherwise), which the
 * file system shares: the bounds on decodes and renders together must leave some free.
 */
sharp.cache(false);
sharp.concurrency(1);

export { sharp };
