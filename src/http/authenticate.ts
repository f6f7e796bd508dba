import { timingSafeEqual } from 'node:crypto';
import QuickLRU from 'quick-lru';
import { UnauthenticatedError } from '../errors.ts';
import type { Principal } from '../generation.ts';
import { type ApiKey, publicIdOf, sha256Hex } from '../ledger/api-keys.ts';

export interface AuthenticateOptions {
  readonly findKey: (publicId: string) => Promise<(ApiKey & { clientName: string }) | undefined>;
  /** SHA-256 of `GESSO_ADMIN_KEY`, lowercase hex, and who calls with it. */
  readonly bootstrap: { readonly sha256: string; readonly principal: Principal } | undefined;
  /** False while revocations can't be heard of: then nothing may be cached. */
  readonly mayCache: () => boolean;
  /** Told of each use of a key. */
  readonly onUse: (apiKeyId: string) => void;
}

/** How long a key is believed without a look at the database, in milliseconds, whatever is heard. */
const CACHE_MS = 60_000;
const CACHE_ENTRIES = 10_000;
/** What a header may hold; a key is far shorter. */
const MAX_KEY_LENGTH = 512;
/** Compared against when there is no such key, so that unknown and wrong take the same time. */
const NO_HASH = sha256Hex('');

/** Proves API keys. Finished look-ups are cached in memory until the key is revoked. */
export function createAuthenticator({ findKey, bootstrap, mayCache, onUse }: AuthenticateOptions) {
  const cache = new QuickLRU<string, ApiKey & { clientName: string }>({
    maxSize: CACHE_ENTRIES,
    maxAge: CACHE_MS,
  });
  // A revocation that is heard of while a look-up is under way must not be overtaken by its answer.
  let revocations = 0;
  const proofs = new WeakMap<Principal, { readonly publicId: string; readonly revocationsBefore: number }>();
  /** When each key was last revoked, counted in revocations; for answers that were begun just before. */
  const revokedAt = new QuickLRU<string, number>({ maxSize: CACHE_ENTRIES });
  const watched = new Map<string, Set<AbortController>>();

  function revoked(publicId: string): void {
    for (const controller of watched.get(publicId) ?? []) controller.abort();
  }

  async function lookUp(publicId: string) {
    const cached = mayCache() ? cache.get(publicId) : undefined;
    if (cached !== undefined) return cached;
    const revocationsBefore = revocations;
    const found = await findKey(publicId);
    if (found !== undefined && mayCache() && revocations === revocationsBefore) cache.set(publicId, found);
    return found;
  }

  return {
    /**
     * Who calls, from the `Authorization` header; undefined where there is none.
     * @throws {UnauthenticatedError} for a header that proves nothing; it never says why.
     */
    async authenticate(authorization: string | null): Promise<Principal | undefined> {
      if (authorization === null) return undefined;
      const key = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
      if (key === undefined || key.length > MAX_KEY_LENGTH) throw refused();
      const hash = sha256Hex(key);
      if (bootstrap !== undefined && equal(hash, bootstrap.sha256)) return bootstrap.principal;
      const publicId = publicIdOf(key);
      if (publicId === undefined) throw refused();
      const revocationsBefore = revocations;
      const found = await lookUp(publicId);
      const proved = equal(hash, found?.secretSha256 ?? NO_HASH);
      if (found === undefined || !proved || found.revokedAt !== undefined) throw refused();
      onUse(found.id);
      const principal: Principal = {
        clientId: found.clientId,
        clientName: found.clientName,
        apiKeyId: found.id,
        scopes: new Set(found.scopes),
        imagesPerDay: found.imagesPerDay,
      };
      proofs.set(principal, { publicId, revocationsBefore });
      return principal;
    },
    /**
     * For answers that go on: a signal that is aborted when the key of the principal is revoked. To be released when
     * the answer is over.
     */
    watch(principal: Principal): { readonly signal: AbortSignal; release(): void } {
      const controller = new AbortController();
      const proof = proofs.get(principal);
      if (proof === undefined) return { signal: controller.signal, release: () => undefined };
      const { publicId, revocationsBefore } = proof;
      if ((revokedAt.get(publicId) ?? 0) > revocationsBefore) controller.abort();
      const watchers = watched.get(publicId) ?? new Set();
      watched.set(publicId, watchers.add(controller));
      return {
        signal: controller.signal,
        release() {
          watchers.delete(controller);
          if (watchers.size === 0 && watched.get(publicId) === watchers) watched.delete(publicId);
        },
      };
    },
    /** Looks for revocations that may have been missed, among the keys that are watched. */
    async recheck(): Promise<void> {
      for (const publicId of [...watched.keys()]) {
        const found = await findKey(publicId);
        if (found === undefined || found.revokedAt !== undefined) revoked(publicId);
      }
    },
    /** The key was revoked, on whichever replica. */
    forget(publicId: string): void {
      revocations += 1;
      cache.delete(publicId);
      revokedAt.set(publicId, revocations);
      revoked(publicId);
    },
    /** Revocations may have been missed. */
    forgetAll(): void {
      revocations += 1;
      cache.clear();
    },
  };
}

export type Authenticator = ReturnType<typeof createAuthenticator>;

const refused = (): UnauthenticatedError => new UnauthenticatedError('The API key is not valid.');

/** In constant time; both are SHA-256 in hex, so that the lengths agree. */
const equal = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b));
