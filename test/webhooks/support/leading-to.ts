import type { GatewayOptions } from '../../../src/gateway.ts';

/** Every host leads to loopback, which is allowed, and the certificate is trusted. */
export const leadingTo = (ca: string): NonNullable<GatewayOptions['webhooks']> => ({
  lookup: async () => ['127.0.0.1'],
  isAllowedAddress: (address) => address === '127.0.0.1',
  ca,
});
