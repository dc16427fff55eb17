import {
  modelSpecSchema,
  type GenerationParams,
  type ModelSpecInput,
  validateSampling,
} from '@petals-chat/engine'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { samplingOfChoice, toSampling } from './sampling.ts'

const specWith = (generation: ModelSpecInput['generation']) =>
  modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none', generation })
const plain = specWith({})
const modelWith = (generation: GenerationParams) => ({
  tokenizer: { ...scriptedTokenizer, vocabSize: 100 },
  generation,
})
const model = modelWith({})

describe('toSampling', () => {
  it('is that of chat.petals.dev by default', () => {
    expect(JSON.parse(JSON.stringify(toSampling({}, plain, model)))).toEqual({ temperature: 0.6, topP: 0.9 })
    expect(JSON.parse(JSON.stringify(toSampling({ temperature: 1, top_p: 1 }, plain, model)))).toEqual({
      temperature: 1,
      topP: 1,
    })
  })

  it('uses the recommendations of the model’s files, and before them the entry of the config', () => {
    const own = modelWith({ temperature: 0.7, top_k: 20, repetition_penalty: 1.05 })
    expect(toSampling({}, plain, own)).toMatchObject({ temperature: 0.7, topK: 20, repetitionPenalty: 1.05 })
    expect(toSampling({}, specWith({ temperature: 0.3 }), own)).toMatchObject({ temperature: 0.3, topK: 20 })
    expect(toSampling({ top_k: 0, temperature: 1 }, plain, own)).toMatchObject({
      temperature: 1,
      topK: undefined,
      topP: undefined,
    })
  })

  it('uses the model’s defaults, and before them the request’s parameters', () => {
    const spec = specWith({ temperature: 0.6, top_k: 40, top_p: 0.9, min_p: 0.1, repetition_penalty: 1.2 })
    expect(toSampling({ top_p: null }, spec, model)).toMatchObject({
      temperature: 0.6,
      topK: 40,
      topP: 0.9,
      minP: 0.1,
      repetitionPenalty: 1.2,
    })
    const request = { temperature: 2, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1 }
    expect(toSampling(request, spec, model)).toMatchObject({
      temperature: 2,
      topK: undefined,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
    })
  })

  it('has no penalty from the defaults at temperature 0', () => {
    const spec = specWith({ temperature: 0.2, repetition_penalty: 1.1 })
    expect(toSampling({}, spec, model).repetitionPenalty).toBe(1.1)
    expect(toSampling({ temperature: 0 }, spec, model).repetitionPenalty).toBeUndefined()
    expect(toSampling({ temperature: 0, repetition_penalty: 1.3 }, spec, model).repetitionPenalty).toBe(1.3)
  })

  it('is greedy for models that don’t sample, unless the request sets a temperature', () => {
    for (const do_sample of [false, 0] as const) {
      const spec = specWith({ do_sample, temperature: 0.6 })
      expect(toSampling({}, spec, model).temperature).toBe(0)
      expect(toSampling({ temperature: 0.5 }, spec, model).temperature).toBe(0.5)
    }
    expect(toSampling({}, specWith({ do_sample: true, temperature: 0.6 }), model).temperature).toBe(0.6)
  })

  it('of every request that the schema accepts is within the engines’ limits', () => {
    for (const request of [
      { temperature: 5e-324, top_p: 0, top_k: -1, min_p: 0, repetition_penalty: 0.01 },
      { temperature: 2, top_p: 5e-324, top_k: 1_000_000, min_p: 1, repetition_penalty: 10 },
      { seed: -1, presence_penalty: -2, frequency_penalty: 2, logit_bias: { 99: -100 } },
      { seed: Number.MAX_SAFE_INTEGER },
      { seed: Number.MIN_SAFE_INTEGER },
    ]) {
      const sampling = toSampling(request, plain, model)
      expect(() => validateSampling(sampling, 100)).not.toThrow()
      expect(Math.fround(sampling.temperature) > 0 || sampling.temperature === 0).toBe(true)
    }
    expect(toSampling({ top_k: 1_000_000 }, plain, model).topK).toBe(100)
  })

  it('uses a new seed for -1, signed or unsigned', () => {
    for (const seed of [-1, 2 ** 32 - 1, null, undefined])
      expect(toSampling({ seed }, plain, model).seed).toBeUndefined()
    expect(toSampling({ random_seed: -1 }, plain, model).seed).toBeUndefined()
    expect(toSampling({ random_seed: 7 }, plain, model).seed).toBe(7)
    expect(toSampling({ seed: 0, random_seed: 7 }, plain, model).seed).toBe(0)
  })

  it('reads the names of other servers', () => {
    const of = (request: Parameters<typeof toSampling>[0]) => toSampling(request, plain, model)
    expect(of({ repeat_penalty: 1.1 }).repetitionPenalty).toBe(1.1)
    expect(of({ repeat_penalty: 1.1, repetition_penalty: 1.3 }).repetitionPenalty).toBe(1.3)
    expect(of({ top_k: -1 }).topK).toBeUndefined()
    expect(of({ top_k: 0 }).topK).toBeUndefined()
    expect(
      of({
        logit_bias: [
          [5, 2],
          [7, false],
        ],
      }).logitBias,
    ).toEqual(
      new Map([
        [5, 2],
        [7, -100],
      ]),
    )
    expect(of({ logit_bias: [] }).logitBias).toBeUndefined()
  })

  it('gives every choice its own seed, within 32 bits', () => {
    const sampling = toSampling({ seed: 2 ** 32 - 2 }, plain, model)
    expect([0, 1, 2].map((choice) => samplingOfChoice(sampling, choice).seed)).toEqual([
      2 ** 32 - 2,
      2 ** 32 - 1,
      0,
    ])
    expect(samplingOfChoice(toSampling({}, plain, model), 1).seed).toBeUndefined()
  })
})
