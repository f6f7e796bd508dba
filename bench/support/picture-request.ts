import type { Pool } from 'undici';

/** What is asked, and of whom. */
export interface PictureTarget {
  readonly url: string;
  /** Whether the target is the gateway, or speaks the upstream's own format. */
  readonly graphql: boolean;
}

const OPERATION = `mutation ($input: GenerateImageInput!) { generateImage(input: $input) {
  __typename ... on GenerateImageSuccess { image { url width height } } } }`;

const UPSTREAM_BODY = JSON.stringify({
  model: 'gpt-image-2',
  prompt: 'bench',
  n: 1,
  size: '1024x1024',
  response_format: 'b64_json',
  output_format: 'png',
});

/** Asks for one picture and reads the answer to its end. Resolves with what was wrong, or with undefined. */
export async function askForPicture(
  pool: Pool,
  { url, graphql }: PictureTarget,
  idempotencyKey: string,
): Promise<string | undefined> {
  const input = { prompt: 'bench', idempotencyKey };
  try {
    const { statusCode, body } = await pool.request({
      path: new URL(url).pathname,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer bench-bench-bench' },
      body: graphql ? JSON.stringify({ query: OPERATION, variables: { input } }) : UPSTREAM_BODY,
    });
    if (!graphql) {
      await body.dump({ limit: Number.MAX_SAFE_INTEGER });
      return statusCode === 200 ? undefined : `HTTP ${statusCode}`;
    }
    const text = await body.text();
    return text.includes('"GenerateImageSuccess"') ? undefined : text.slice(0, 300);
  } catch (error) {
    return String(error);
  }
}
