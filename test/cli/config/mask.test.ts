import { describe, expect, it } from 'vitest';
import { isSecret, maskSetting } from '../../../src/cli/config/mask.ts';
import { SETTINGS } from '../../../src/settings.ts';

describe('what `gesso config` shows of a setting', () => {
  it('is nothing of a secret', () => {
    const secrets = Object.keys(SETTINGS).filter(isSecret);
    // A setting that is added stands in one list or in the other: let whoever adds it think which.
    expect(secrets).toEqual(
      expect.arrayContaining(['adminKey', 'betterTokenApiKey', 'urlSecret', 'webhookSecret']),
    );
    for (const name of secrets) expect(maskSetting(name, 'hunter2-hunter2')).toBe('********');
    expect(isSecret('betterTokenApiKeyFile')).toBe(false);
  });

  it.each([
    [
      'postgres://gesso:hunter2@db.internal:5432/gesso?sslmode=require',
      'postgres://gesso:********@db.internal:5432/gesso?sslmode=require',
    ],
    ['postgres://gesso@db/gesso?host=/run/postgres', 'postgres://gesso@db/gesso?host=/run/postgres'],
    ['postgres://db/gesso?password=hunter2', 'postgres://db/gesso?password=********'],
    ['postgres://gesso:hunter2@[broken/gesso', 'postgres://********'],
    [
      's3://pictures/prod?endpoint=https://s3.example.com&region=eu-1',
      's3://pictures/prod?endpoint=https://s3.example.com&region=eu-1',
    ],
    ['s3://hunter2:hunter2@pictures/prod', 's3://********:********@pictures/prod'],
    ['s3://pictures?secretAccessKey=hunter2', 's3://pictures?secretAccessKey=********'],
    [
      's3://pictures?endpoint=https://me:hunter2@s3.local',
      's3://pictures?endpoint=https://********:********@s3.local/',
    ],
    ['https://hunter2@upstream.example.com/v1', 'https://********@upstream.example.com/v1'],
    ['https://upstream.example.com/v1#hunter2', 'https://upstream.example.com/v1#********'],
    ['./data/images', './data/images'],
    ['3000,8000,15000', '3000,8000,15000'],
  ])('%s is shown as %s', (value, shown) => {
    expect(maskSetting('anySetting', value)).toBe(shown);
  });
});
