import { defineConfig, definePlugin } from 'gesso';
import { promptPolicy } from './prompt-policy.ts';

const words = (process.env.REFUSED_WORDS ?? 'war,dragon').split(',');

export default defineConfig({
  plugins: [
    definePlugin({
      name: 'prompt-policy',
      // Before `idempotency`, so that a refused prompt takes no key.
      requestMiddleware: [{ middleware: promptPolicy({ words }), before: 'idempotency' }],
    }),
  ],
});
