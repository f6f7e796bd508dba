import { defineConfig, definePlugin } from 'gesso';
import { aspectRatio } from './aspect-ratio.ts';

export default defineConfig({
  plugins: [definePlugin({ name: 'aspect-ratio', schema: aspectRatio })],
});
