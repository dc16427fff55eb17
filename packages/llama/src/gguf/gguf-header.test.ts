import fc from 'fast-check'
import { cpuMs } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { tinyModel, writeGguf, type TinyGguf, type TinyTensor, type TinyValue } from '../testing/tiny-gguf.ts'
import { GgufTokenizer } from '../tokenizer/gguf-tokenizer.ts'
import { GgufFormatError, MoreBytesNeeded } from './byte-reader.ts'
import { checkModel } from './check-model.ts'
import { describeModel } from './gguf-info.ts'
import { parseGgufHeader } from './gguf-header.ts'

const parse = (bytes: Uint8Array) => parseGgufHeader(bytes, bytes.length)

const withMetadata = (changes: Readonly<Record<string, TinyValue | undefined>>): TinyGguf => ({
  ...tinyModel,
  metadata: Object.fromEntries(
    Object.entries({ ...tinyModel.metadata, ...changes }).filter(
      (entry): entry is [string, TinyValue] => entry[1] !== undefined,
    ),
  ),
})

const withTensor = (changes: Partial<TinyTensor>): TinyGguf => ({
  ...tinyModel,
  tensors: [tinyModel.tensors[0]!, { ...tinyModel.tensors[1]!, ...changes }],
})

describe('a valid file', () => {
  it('is described', () => {
    const bytes = writeGguf(tinyModel)
    const header = parse(bytes)
    checkModel(header)
    expect(describeModel('/tiny.gguf', bytes.length, header)).toEqual({
      path: '/tiny.gguf',
      fileSize: bytes.length,
      version: 3,
      name: 'Tiny',
      architecture: 'llama',
      license: undefined,
      quantization: 'F32',
      parameterCount: 160,
      contextLength: 128,
      embeddingLength: 32,
      blockCount: 2,
      vocabSize: 4,
      kvBytesPerToken: 2 * 2 * (8 + 8) * 2,
      tokenizer: { model: 'gpt2', pre: 'gpt-2' },
      chatTemplate: '{{ messages }}',
      generation: {},
    })
  })

  it('has the sampling parameters that its author recommends, by llama.cpp’s keys', () => {
    const read = (changes: Readonly<Record<string, TinyValue>>) => {
      const bytes = writeGguf(withMetadata(changes))
      return describeModel('/tiny.gguf', bytes.length, parse(bytes)).generation
    }
    expect(
      read({
        'general.sampling.temp': 0.6,
        'general.sampling.top_k': 20,
        'general.sampling.top_p': 0.95,
        'general.sampling.min_p': 0.05,
        'general.sampling.penalty_repeat': 1.05,
      }),
    ).toEqual({ temperature: 0.6, top_k: 20, top_p: 0.95, min_p: 0.05, repetition_penalty: 1.05 })
    expect(read({ 'general.sampling.temp': 0, 'general.sampling.top_k': 0 })).toEqual({ do_sample: false })
    expect(read({ 'general.sampling.temp': 'hot' })).toEqual({})
  })

  it('can be read in pieces', () => {
    const bytes = writeGguf(tinyModel)
    expect(() => parseGgufHeader(bytes.subarray(0, 100), bytes.length)).toThrow(MoreBytesNeeded)
  })
})

/** Invalid files, by the message that each one causes. */
const malformed: ReadonlyArray<readonly [message: RegExp, bytes: Buffer]> = [
  [/this is not a GGUF file/, Buffer.from('PK\u0003\u0004 a zip file')],
  [/the magic number ends beyond the end/, Buffer.from('GG')],
  [/the version is 1/, patch(4, 1)],
  [/the version is big-endian/, patch(4, 0x03000000)],
  [/the number of tensors is 4294967298; at most/, patch(12, 1)],
  [/the number of tensors is impossibly large/, patch(12, 0xffffffff)],
  [/the number of metadata keys is 1000000/, patch(16, 1_000_000)],
  [/ends beyond the end of the file/, writeGguf(tinyModel).subarray(0, 200)],
  [/tensor 'output_norm.weight' ends beyond .* incomplete/, writeGguf({ ...tinyModel, dataLength: 600 })],
  [/tensor 'output_norm.weight' is at offset 0 instead of 512/, writeGguf(withTensor({ offset: 0 }))],
  [/tensor 'token_embd.weight' appears twice/, writeGguf(withTensor({ name: 'token_embd.weight' }))],
  [/has an unknown type \(4\)/, writeGguf(withTensor({ type: 4 }))],
  [
    /rows of 33 elements, which is not a multiple of the 32 of Q4_0/,
    writeGguf(withTensor({ type: 2, shape: [33] })),
  ],
  [/impossibly many elements/, writeGguf(withTensor({ shape: [2 ** 40, 2 ** 40] }))],
  [/has no elements along dimension 1/, writeGguf(withTensor({ shape: [32, 0] }))],
  [/5 dimensions/, writeGguf(withTensor({ shape: [1, 1, 1, 1, 1] }))],
  [/the name of tensor 1 is 64 bytes long/, writeGguf(withTensor({ name: 'x'.repeat(64) }))],
  [/general.alignment is not a power of two/, writeGguf(withMetadata({ 'general.alignment': 24 }))],
]

/** Well-formed files that would crash llama.cpp. */
const unusable: ReadonlyArray<readonly [message: RegExp, model: TinyGguf]> = [
  [/general.architecture is missing/, withMetadata({ 'general.architecture': undefined })],
  [/the list of tensors is empty/, { ...tinyModel, tensors: [] }],
  [
    /llama.context_length must be an integer .* is missing/,
    withMetadata({ 'llama.context_length': undefined }),
  ],
  [/llama.block_count must be .* but is 0/, withMetadata({ 'llama.block_count': 0 })],
  [/llama.embedding_length must be .* but is "wide"/, withMetadata({ 'llama.embedding_length': 'wide' })],
  [/llama.attention.head_count must be .* but is 0/, withMetadata({ 'llama.attention.head_count': 0 })],
  [
    /llama.feed_forward_length must be a number above 0, .* is missing/,
    withTensor({ name: 'blk.0.ffn_down.weight' }),
  ],
  [
    /llama.attention.head_count must be a number above 0, .* is missing/,
    {
      ...withMetadata({ 'llama.attention.head_count': undefined }),
      tensors: withTensor({ name: 'blk.0.attn_q.weight' }).tensors,
    },
  ],
  [
    /tokenizer.ggml.tokens has the token "a" twice/,
    withMetadata({ 'tokenizer.ggml.tokens': ['a', 'b', 'a', 'c'] }),
  ],
  [
    /tokenizer.ggml.token_type does not have one entry/,
    withMetadata({ 'tokenizer.ggml.token_type': [1, 1] }),
  ],
  [/tokenizer.ggml.tokens is not a list/, withMetadata({ 'tokenizer.ggml.tokens': 'abc' })],
  [
    /tokenizer.ggml.tokens has a token of 5000 characters/,
    withMetadata({ 'tokenizer.ggml.tokens': ['a', 'b', 'c', 'd'.repeat(5000)] }),
  ],
  [
    /tokenizer.ggml.token_type has 140000 special tokens; at most 131072/,
    withMetadata({
      'tokenizer.ggml.tokens': Array.from({ length: 140_000 }, (_, id) => `<${id}>`),
      'tokenizer.ggml.token_type': Array.from({ length: 140_000 }, () => 3),
    }),
  ],
]

function patch(offset: number, value: number): Buffer {
  const bytes = writeGguf(tinyModel)
  bytes.writeUInt32LE(value, offset)
  return bytes
}

describe('an invalid file', () => {
  for (const [message, bytes] of malformed) {
    it(`is refused: ${String(message)}`, () => {
      expect(() => parse(bytes)).toThrow(GgufFormatError)
      expect(() => parse(bytes)).toThrow(message)
    })
  }

  for (const [message, model] of unusable) {
    it(`is refused: ${String(message)}`, () => {
      const check = () => checkModel(parse(writeGguf(model)))
      expect(check).toThrow(GgufFormatError)
      expect(check).toThrow(message)
    })
  }

  it('is refused if a list claims more elements than any model has, before memory is taken for them', () => {
    const bytes = writeGguf(tinyModel)
    bytes.writeBigUInt64LE(
      2n ** 23n,
      bytes.indexOf('tokenizer.ggml.merges') + 'tokenizer.ggml.merges'.length + 8,
    )
    expect(() => parseGgufHeader(bytes, 2 ** 40)).toThrow(/merges has 8388608 elements; at most 4194304/)
  })

  it('is refused if it is cut off anywhere', () => {
    const bytes = writeGguf(tinyModel)
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parse(bytes.subarray(0, length)), `${length} bytes`).toThrow(GgufFormatError)
    }
  })

  it('is read or refused without a crash: 10,000 mutants', () => {
    const original = writeGguf(tinyModel)
    const mutation = fc.record({
      offset: fc.nat(original.length - 9),
      value: fc.oneof(
        fc.constantFrom(0n, 1n, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn),
        fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
      ),
      size: fc.constantFrom(1, 4, 8),
    })
    let slowest = 0
    const property = fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const bytes = Buffer.from(original)
      for (const { offset, value, size } of mutations) {
        if (size === 8) bytes.writeBigUInt64LE(value, offset)
        else if (size === 4) bytes.writeUInt32LE(Number(value & 0xffffffffn), offset)
        else bytes.writeUInt8(Number(value & 0xffn), offset)
      }
      const startedAt = cpuMs()
      readAll(bytes)
      slowest = Math.max(slowest, cpuMs() - startedAt)
    })
    fc.assert(property, { numRuns: 10_000 })
    expect(slowest).toBeLessThan(5000)
  })
})

/** Does everything that the gateway's process does with a file. Only the errors for invalid files may be thrown. */
function readAll(bytes: Buffer): void {
  try {
    const header = parse(bytes)
    checkModel(header)
    describeModel('/mutant.gguf', bytes.length, header)
    const tokenizer = new GgufTokenizer(header)
    tokenizer.decode(tokenizer.encode('abba <|endoftext|>', { addSpecialTokens: true }))
  } catch (error) {
    const isRefusal =
      error instanceof GgufFormatError || (error instanceof Error && error.name === 'ModelUnavailableError')
    if (!isRefusal) throw error
  }
}
