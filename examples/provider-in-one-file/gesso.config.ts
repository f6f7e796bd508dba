import { defineConfig, definePlugin } from 'gesso';
import { createPlainHttp } from './plain-http.ts';

const { PLAIN_HTTP_URL: baseUrl = 'http://localhost:8000', PLAIN_HTTP_API_KEY: apiKey = '' } = process.env;

export default defineConfig({
  plugins: [definePlugin({ name: 'plain-http', providers: [createPlainHttp({ baseUrl, apiKey })] })],
});
