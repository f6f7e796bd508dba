import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { IMAGE_SIZES } from '../../src/generation.ts';
import type { GessoConfig } from '../../src/plugin.ts';
import { createOpenAI, type OpenAIOptions } from '../../src/providers/openai.ts';
import { ROOT, sampleOf, tableOf } from '../support/readme-pages.ts';

const PAGE = 'docs/providers.md';
const wordsOf = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe('docs/providers.md, of OpenAI', () => {
  it('has every option', () => {
    const options: Record<keyof OpenAIOptions, true> = {
      apiKey: true,
      name: true,
      model: true,
      sizes: true,
      quality: true,
      background: true,
      moderation: true,
      complexity: true,
      safetyIdentifier: true,
      organization: true,
      project: true,
      baseUrl: true,
      connections: true,
      deadlineMs: true,
      limits: true,
      dispatcher: true,
      now: true,
    };
    const listed = tableOf(PAGE, 'Options of OpenAI').map(([cell]) => wordsOf(cell)[0]);
    expect(listed).toEqual(Object.keys(options));
  });

  const models = tableOf(PAGE, 'Models of OpenAI').flatMap(([names, sizes, quality, complexity]) =>
    wordsOf(names).map((model) => ({ model, sizes, quality, complexity })),
  );

  it('begins with the default model', () => {
    expect(createOpenAI({ apiKey: 'sk-test' }).models).toEqual([models[0]?.model]);
  });

  it.each(models)('says what $model takes, and no less', ({ model, sizes, quality, complexity }) => {
    const accepts = (choice: object) => {
      try {
        createOpenAI({ apiKey: 'sk-test', model, ...choice });
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        return false;
      }
    };
    expect(createOpenAI({ apiKey: 'sk-test', model }).sizes).toEqual(
      sizes === 'all' ? IMAGE_SIZES : wordsOf(sizes),
    );
    const levels = ['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'];
    expect(levels.filter((level) => accepts({ quality: level }))).toEqual(wordsOf(quality));
    expect(levels.filter((level) => accepts({ complexity: level }))).toEqual(wordsOf(complexity));
  });

  it('has a gesso.config.ts that makes its providers', async () => {
    const { text } = sampleOf(PAGE, 'ts', '// gesso.config.ts: the default model');
    const folder = await mkdtemp(join(tmpdir(), 'gesso-openai-'));
    try {
      const path = join(folder, 'gesso.config.ts');
      const sources = { gesso: 'src/index.ts', 'gesso/providers/openai': 'src/providers/openai.ts' };
      const bySource = Object.entries(sources).reduce(
        (changed, [name, source]) => changed.replaceAll(`'${name}'`, JSON.stringify(join(ROOT, source))),
        text.replace('process.env.OPENAI_API_KEY', "'sk-test'"),
      );
      await writeFile(path, bySource);
      const { default: config } = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as {
        default: GessoConfig;
      };
      expect(config.plugins?.[0]?.providers).toMatchObject([
        { name: 'openai', models: ['gpt-image-2'] },
        { name: 'openai-draft', models: ['gpt-image-2.6-flare'] },
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
