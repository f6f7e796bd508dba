import type { Random } from '../random.ts';

/** Six tones from dark to light that belong together, and one accent that sets itself off from them. */
export interface Palette {
  readonly name: string;
  readonly tones: readonly [string, string, string, string, string, string];
  readonly accent: string;
  /** A prompt with one of these words gets this palette, so that a sea is not painted in clay. */
  readonly words: RegExp;
}

const PALETTES: readonly [Palette, ...Palette[]] = [
  {
    name: 'dusk',
    tones: ['#1b1035', '#4a1d5f', '#a23b72', '#f0725c', '#ffb26b', '#ffe9c4'],
    accent: '#fff1d0',
    words: /\b(dusk|sunset|evening|fire|lighthouse|autumn)\b|夕|火/iu,
  },
  {
    name: 'sea',
    tones: ['#06202f', '#0b4f6c', '#1f8a9e', '#6cc3c0', '#bfe6d8', '#fdf6e3'],
    accent: '#ff7f5c',
    words: /\b(sea|ocean|water|lake|river|wave|waves|fish|whale|boat|ship|beach)\b|大海|海洋|水/iu,
  },
  {
    name: 'forest',
    tones: ['#0f2a22', '#1f4d3a', '#4f7f4f', '#9fb86a', '#e3d99a', '#fbf3dc'],
    accent: '#d9643a',
    words: /\b(forest|forests|tree|trees|garden|fox|bear|moss|jungle|leaf|leaves)\b|森|林/iu,
  },
  {
    name: 'night',
    tones: ['#0a0c2c', '#1a1f5c', '#3c3a9e', '#7a62d0', '#c9a3ec', '#fbe4f2'],
    accent: '#ffd36e',
    words: /\b(night|space|star|stars|moon|planet|galaxy|future|futuristic|robot|neon|ai)\b|夜|星|未来/iu,
  },
  {
    name: 'clay',
    tones: ['#2d1a16', '#6b2f22', '#b5533a', '#e08e5e', '#f2c79b', '#fbefdc'],
    accent: '#2f6f73',
    words: /\b(desert|clay|house|city|village|horse|coffee|bread|canyon)\b|城|砂/iu,
  },
  {
    name: 'snow',
    tones: ['#1d2b3a', '#3f5f7a', '#7d9fb5', '#b9cfda', '#e2ebee', '#fbfaf7'],
    accent: '#e5633f',
    words: /\b(snow|winter|ice|mountain|mountains|glass|cloud|clouds|fog|mist)\b|雪|山|冰/iu,
  },
  {
    name: 'candy',
    tones: ['#2a1b3d', '#7b3f8c', '#e0639a', '#ff9fb0', '#ffd3c4', '#fff3e6'],
    accent: '#3fb7a8',
    words: /\b(candy|love|party|toy|dream|cake|unicorn|cat|kitten)\b|花|猫/iu,
  },
  {
    name: 'citrus',
    tones: ['#12343b', '#2c6e63', '#8fb339', '#f2c14e', '#f9dc8f', '#fff8e1'],
    accent: '#e8553b',
    words: /\b(fruit|lemon|lemons|orange|summer|spring|bird|birds|picnic|bicycle)\b|夏|春/iu,
  },
  {
    name: 'gold',
    tones: ['#12131a', '#2a2d3e', '#575d7a', '#a39e93', '#dcc9a0', '#f7efdd'],
    accent: '#d99a2b',
    words: /\b(gold|golden|luxury|watch|jazz|piano|portrait|cathedral)\b|金/iu,
  },
  {
    name: 'dawn',
    tones: ['#2c1f3f', '#7a3a5e', '#c9627e', '#f29a8e', '#fbc9ad', '#fff0df'],
    accent: '#3c6e91',
    words: /\b(dawn|morning|sunrise|rose|roses|flower|flowers|dance|dancer)\b|朝|晨/iu,
  },
];

/** The palette that the prompt's words call for, or else one by chance. */
export function choosePalette(prompt: string, random: Random): Palette {
  const byChance = random.pick(PALETTES);
  return PALETTES.find((palette) => palette.words.test(prompt)) ?? byChance;
}
