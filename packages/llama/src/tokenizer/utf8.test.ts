import { readFile } from 'node:fs/promises'
import { checkUtf8 } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { parseGgufHeader } from '../gguf/gguf-header.ts'
import { readGguf } from '../gguf/read-gguf.ts'
import { mixedStrings } from '../testing/mixed-strings.ts'
import { llamaVocabularies, vocabularyPath } from '../testing/vocabularies.ts'
import { GgufTokenizer } from './gguf-tokenizer.ts'

/** Lone surrogates have no UTF-8. */
const validTexts = (count: number) => mixedStrings(count).map((text) => text.replace(/\p{Cs}/gu, ''))

async function vocabularyOf(name: (typeof llamaVocabularies)[number]): Promise<GgufTokenizer> {
  const bytes = await readFile(await vocabularyPath(name))
  return new GgufTokenizer(parseGgufHeader(bytes, bytes.length))
}

describe('a streamed text is the whole text, in whole characters, wherever tokens divide it', () => {
  it('10,000 texts with the default model', async () => {
    const { header } = await readGguf(await defaultModelPath())
    const tokenizer = new GgufTokenizer(header)
    for (const text of validTexts(10_000)) checkUtf8(tokenizer, text)
  })

  it.each(llamaVocabularies)('%s', async (name) => {
    const tokenizer = await vocabularyOf(name)
    for (const text of validTexts(3000)) checkUtf8(tokenizer, text)
  })

  it('and a divided character is reported', () => {
    const halves = {
      encode: () => [0, 1],
      decode: (tokens: readonly number[]) => (tokens.length === 2 ? 'é' : 'x'),
    }
    expect(() => checkUtf8(halves as never, 'é')).toThrow('The parts differ from the whole')
  })
})
