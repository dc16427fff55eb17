import { readFile } from 'node:fs/promises'
import { literalMarker, ModelUnavailableError } from '@petals-chat/engine'
import { getLlama } from 'node-llama-cpp'
import { cpuMs } from '@petals-chat/engine/testing'
import { beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { parseGgufHeader } from '../gguf/gguf-header.ts'
import { mixedStrings } from '../testing/mixed-strings.ts'
import { tinyModel, writeGguf } from '../testing/tiny-gguf.ts'
import { llamaVocabularies, vocabularyPath } from '../testing/vocabularies.ts'
import { GgufTokenizer } from './gguf-tokenizer.ts'

async function openTokenizer(path: string): Promise<GgufTokenizer> {
  const bytes = await readFile(path)
  return new GgufTokenizer(parseGgufHeader(bytes, bytes.length))
}

/** Texts in which a client spells out a control token: alone, in a sentence, doubled, cut off, beside white space. */
const spelledOut = (text: string): string[] => [
  text,
  `What does ${text} mean?`,
  `a${text}${text}b`,
  ` ${text}\n${text.slice(0, -1)} ${text} `,
]

describe('tokens are identical to those of llama.cpp', () => {
  const texts = mixedStrings(2500)

  async function compare(path: string): Promise<void> {
    const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logger: () => {} })
    const native = await llama.loadModel({ modelPath: path, vocabOnly: true, gpuLayers: 0 })
    const tokenizer = await openTokenizer(path)
    const unequal = texts.filter(
      (text) => tokenizer.encode(text).join() !== native.tokenize(text, true).join(),
    )
    expect(unequal).toEqual([])

    const mark = literalMarker(tokenizer.controlTexts)
    const controlTokens = new Set(tokenizer.controlTexts.flatMap((text) => tokenizer.encode(text)))
    const parsed = tokenizer.controlTexts
      .slice(0, 300)
      .flatMap(spelledOut)
      .filter((text) => tokenizer.encode(mark(text)).some((token) => controlTokens.has(token)))
    expect(parsed).toEqual([])
    // Without `parse_special`, llama.cpp still treats turn markers that the file calls user-defined as tokens.
    const different = tokenizer.controlTexts
      .slice(0, 300)
      .filter((text) => native.tokenize(text, false).join() !== native.tokenize(text, true).join())
      .flatMap(spelledOut)
      .filter((text) => tokenizer.encode(mark(text)).join() !== native.tokenize(text, false).join())
    expect(different).toEqual([])

    const all = Array.from({ length: tokenizer.vocabSize }, (_, id) => id)
    expect([...tokenizer.eosTokens].sort((a, b) => a - b)).toEqual(
      all.filter((id) => native.isEogToken(id as never)),
    )
    expect(tokenizer.bosToken).toBe(native.tokens.shouldPrependBosToken ? native.tokens.bos : undefined)
    await llama.dispose()
  }

  it('SmolLM2', async () => compare(await defaultModelPath()))

  for (const name of llamaVocabularies) it(name, async () => compare(await vocabularyPath(name)), 120_000)
})

describe('decoding', () => {
  let tokenizer: GgufTokenizer
  beforeAll(async () => (tokenizer = await openTokenizer(await defaultModelPath())))

  it('restores every text', () => {
    // This vocabulary has no tokens for most control characters.
    const texts = mixedStrings(1000).filter((text) => !/[\x00-\x08\x0b-\x1f\x7f]/.test(text))
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.toWellFormed())
  })

  it('writes special tokens unless they are to be skipped', () => {
    const tokens = tokenizer.encode('<|im_start|>user\nHi<|im_end|>')
    expect(tokenizer.decode(tokens)).toBe('<|im_start|>user\nHi<|im_end|>')
    expect(tokenizer.decode(tokens, { skipSpecialTokens: true })).toBe('user\nHi')
  })

  it('refuses a token beyond the vocabulary', () => {
    expect(() => tokenizer.decode([tokenizer.vocabSize])).toThrow(RangeError)
  })
})

describe('a tokenizer', () => {
  it('is created quickly', async () => {
    const bytes = await readFile(await defaultModelPath())
    const times = Array.from({ length: 3 }, () => {
      const startedAt = cpuMs()
      new GgufTokenizer(parseGgufHeader(bytes, bytes.length)).encode('Hello, world!')
      return cpuMs() - startedAt
    })
    expect(Math.min(...times)).toBeLessThan(1500)
  })

  it('tokenizes a long text without spaces in reasonable time', async () => {
    const tokenizer = await openTokenizer(await defaultModelPath())
    const startedAt = cpuMs()
    tokenizer.encode('a'.repeat(200_000))
    expect(cpuMs() - startedAt).toBeLessThan(10_000)
  })

  it('of an unknown kind is refused with the reason', () => {
    const open = (metadata: Record<string, string>) => {
      const bytes = writeGguf({ ...tinyModel, metadata: { ...tinyModel.metadata, ...metadata } })
      return new GgufTokenizer(parseGgufHeader(bytes, bytes.length))
    }
    expect(() => open({ 'tokenizer.ggml.model': 'bert' })).toThrow(ModelUnavailableError)
    expect(() => open({ 'tokenizer.ggml.model': 'bert' })).toThrow(/tokenizer.ggml.model: bert/)
    expect(() => open({ 'tokenizer.ggml.pre': 'martian' })).toThrow(/tokenizer.ggml.pre: martian/)
  })
})
