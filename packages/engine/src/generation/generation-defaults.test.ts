import { describe, expect, it } from 'vitest'
import { generationDefaults, parseGenerationConfig, toSamplingParams } from './generation-defaults.ts'

const usual = { do_sample: true, temperature: 0.6, top_p: 0.9, max_new_tokens: 2048 }

describe('the generation defaults of a model', () => {
  it('are those of chat.petals.dev, with a limit, if nothing says how to sample', () => {
    expect(generationDefaults({ generation: {} }, undefined)).toEqual(usual)
    expect(generationDefaults({ generation: {} }, { generation: undefined })).toEqual(usual)
    expect(generationDefaults({ generation: { do_sample: 1 } }, { generation: {} })).toEqual({
      ...usual,
      do_sample: 1,
    })
    expect(
      generationDefaults({ generation: { repetition_penalty: 1.1, max_new_tokens: 64 } }, undefined),
    ).toEqual({ ...usual, repetition_penalty: 1.1, max_new_tokens: 64 })
  })

  it('are those of its own files before the usual ones', () => {
    const qwen = { do_sample: true, temperature: 0.7, top_p: 0.8, top_k: 20, repetition_penalty: 1.05 }
    expect(generationDefaults({ generation: {} }, { generation: qwen })).toEqual({
      ...qwen,
      max_new_tokens: 2048,
    })
    expect(generationDefaults({ generation: {} }, { generation: { top_k: 40 } })).toEqual({
      top_k: 40,
      max_new_tokens: 2048,
    })
  })

  it('are those of its entry before those of its files, value by value', () => {
    const model = { generation: { temperature: 0.7, top_p: 0.8, max_new_tokens: 100 } }
    expect(generationDefaults({ generation: { temperature: 1.2 } }, model)).toEqual({
      temperature: 1.2,
      top_p: 0.8,
      max_new_tokens: 100,
    })
    expect(generationDefaults({ generation: { top_p: undefined } }, model).top_p).toBe(0.8)
  })

  it('are greedy if the entry or the file turns sampling off', () => {
    const defaults = generationDefaults({ generation: { do_sample: 0 } }, undefined)
    expect(defaults).toEqual({ do_sample: 0, max_new_tokens: 2048 })
    expect(toSamplingParams(defaults).temperature).toBe(0)
    expect(
      toSamplingParams(generationDefaults({ generation: {} }, { generation: { do_sample: false } })),
    ).toEqual({
      temperature: 0,
      topK: undefined,
      topP: undefined,
      minP: undefined,
      repetitionPenalty: undefined,
    })
  })

  it("reach engines under the engines' names", () => {
    expect(
      toSamplingParams({ temperature: 0.7, top_k: 20, top_p: 0.8, min_p: 0.05, repetition_penalty: 1.1 }),
    ).toEqual({ temperature: 0.7, topK: 20, topP: 0.8, minP: 0.05, repetitionPenalty: 1.1 })
    expect(toSamplingParams({ top_k: 20 })).toMatchObject({ temperature: 1, topK: 20 })
  })

  it('yield to the temperature of a request, and apply no penalties if it is 0', () => {
    const defaults = { temperature: 0.2, repetition_penalty: 1.1 }
    expect(toSamplingParams(defaults, 0.7)).toMatchObject({ temperature: 0.7, repetitionPenalty: 1.1 })
    expect(toSamplingParams(defaults, null)).toMatchObject({ temperature: 0.2, repetitionPenalty: 1.1 })
    expect(toSamplingParams(defaults, 0)).toMatchObject({ temperature: 0, repetitionPenalty: undefined })
    expect(toSamplingParams({ ...defaults, do_sample: false })).toMatchObject({
      temperature: 0,
      repetitionPenalty: 1.1,
    })
  })
})

describe('a generation_config.json', () => {
  it('is read only for its sampling parameters', () => {
    expect(
      parseGenerationConfig({
        bos_token_id: 128000,
        do_sample: true,
        eos_token_id: [128001, 128009],
        max_length: 4096,
        temperature: 0.6,
        top_p: 0.9,
        transformers_version: '4.42.3',
      }),
    ).toEqual({ do_sample: true, temperature: 0.6, top_p: 0.9 })
  })

  it('never keeps a model from answering: invalid values are ignored', () => {
    expect(
      parseGenerationConfig({ temperature: 0, top_k: 0, top_p: null, min_p: 'x', repetition_penalty: 1.1 }),
    ).toEqual({ repetition_penalty: 1.1 })
    for (const odd of [undefined, null, 'text', 7, [], [1]]) expect(parseGenerationConfig(odd)).toEqual({})
  })
})
