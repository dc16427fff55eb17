/** Pieces that tokenizers treat specially: contractions, digits, spaces, scripts, marks, emoji, special tokens, bytes. */
const pieces = [
  ...[
    'Hello',
    ' world',
    "'s",
    "'LL",
    "I'm",
    "don't",
    ' the',
    'fooBar',
    'FOO_BAR',
    'aaaaaaaaaaaaaaaa',
    'Straße',
    ' naïve',
  ],
  ...[
    '\n',
    '\n\n',
    ' \n',
    '\t',
    '  ',
    '   ',
    '\r\n',
    '\u00a0',
    '\u0085',
    '\ufeff',
    '\u200b',
    '\u3000',
    ' ',
    '\u2028',
  ],
  ...['123', '1', '99999', '3.14', ' 2024', '²', '½', 'Ⅷ', '١٢٣', '1234567'],
  ...[
    'éàü',
    'ñ',
    '日本語',
    '中文字',
    '한국어',
    'Привет',
    ' мир',
    'العربية',
    'हिन्दी',
    'ไทย',
    'ελληνικά',
    'ー',
    'ǅ',
    'ʰ',
    'ſ',
  ],
  ...['😀', '👩‍👩‍👧', '🏳️‍🌈', '\u{1F1E9}\u{1F1EA}', '\u0301', 'e\u0301', '\u{10400}', '\ud800', '\udc00'],
  ...[
    '!',
    '?!',
    '...',
    ' --',
    '==',
    '{"a": 1}',
    'x=y+1;',
    '/* c */',
    '#include',
    '\\n',
    '"',
    "'",
    '`',
    '~',
    '$',
    '^',
    '|',
  ],
  ...[
    '<|im_start|>',
    '<|im_end|>',
    '<s>',
    '</s>',
    '<|endoftext|>',
    '<unk>',
    '[INST]',
    '<',
    '>',
    '<0x0A>',
    '▁',
    'Ġ',
  ],
  ...['\x00', '\x07', '\x7f', '‘', '—', '。', '，', '٪', '<|eot_id|>', '<end_of_turn>'],
]

/** Returns texts of random pieces, the same ones every time. Characters newer than llama.cpp's tables (Unicode 15) are left out. */
export function mixedStrings(count: number): string[] {
  let state = 20261124
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  return Array.from({ length: count }, () => {
    const length = 1 + random(12)
    const parts = Array.from({ length }, () =>
      random(6) > 0
        ? pieces[random(pieces.length)]!
        : String.fromCodePoint(random(2) ? random(0x250) : 0x3400 + random(0x6c00)),
    )
    return parts.join('')
  })
}
