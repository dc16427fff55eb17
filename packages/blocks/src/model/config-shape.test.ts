import { describe, expect, it } from 'vitest'
import { shapeOfConfig } from './config-shape.ts'

const llama = {
  model_type: 'llama',
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 96,
}

describe('config.json', () => {
  it('gives the shape of blocks', () => {
    expect(shapeOfConfig(llama)).toMatchObject({ kind: 'llama', kvHeads: 4, headSize: 16, normEpsilon: 1e-6 })
    const mistral = shapeOfConfig({ ...llama, model_type: 'mistral', sliding_window: 24, head_dim: 32 })
    expect(mistral).toMatchObject({ slidingWindow: 24, headSize: 32, rope: { size: 32, scale: 1 } })
    const linear = shapeOfConfig({ ...llama, rope_scaling: { type: 'linear', factor: 4 } })
    expect(linear.rope).toMatchObject({ scale: 0.25, factors: undefined })
  })

  it('scales positions by YaRN, as the paper says', () => {
    const original = 32_768
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: original }
    const config = { ...llama, head_dim: 128, rope_theta: 1e6, max_position_embeddings: 40_960 }
    const { rope, contextLength } = shapeOfConfig({ ...config, rope_scaling: yarn })
    expect(contextLength).toBe(131_072)
    expect(rope).toMatchObject({ scale: 1, magnitude: 0.1 * Math.log(4) + 1 })
    // Pair d turns r(d) times within the original length: more than 32 times it is kept, less than once it is stretched.
    const turns = (pair: number): number => original / (2 * Math.PI * 1e6 ** (pair / 64))
    const factors = rope!.factors!
    expect(factors).toHaveLength(64)
    expect([turns(23), turns(24), turns(39), turns(40)].map((count) => count > 32 || count < 1)).toEqual([
      true,
      false,
      false,
      true,
    ])
    expect(factors.slice(0, 24)).toEqual(Array(24).fill(1))
    expect(factors.slice(40)).toEqual(Array(24).fill(4))
    // Between them, 1 − ramp of the frequency is interpolated; the ramp is over pairs 23 to 40.
    for (let pair = 24; pair < 40; pair++) {
      const ramp = (pair - 23) / 17
      expect(1 / factors[pair]!).toBeCloseTo((1 - ramp) * 1 + ramp / 4, 12)
    }
    const set = shapeOfConfig({ ...config, rope_scaling: { ...yarn, attention_factor: 1.5 } })
    expect(set.rope!.magnitude).toBe(1.5)
  })

  it.each([
    ['a family', { model_type: 'gpt2' }, /model_type 'gpt2' is not one of llama/],
    ['an activation', { hidden_act: 'gelu' }, /activation 'gelu'/],
    [
      'a scaling of positions',
      { rope_scaling: { rope_type: 'dynamic', factor: 4 } },
      /rope_scaling 'dynamic' is not known/,
    ],
    ['an mscale of YaRN', { rope_scaling: { type: 'yarn', factor: 4, mscale: 0.7 } }, /has an mscale/],
    ['a window of some blocks', { model_type: 'qwen2', use_sliding_window: true }, /use_sliding_window/],
    ['ALiBi of Falcon', { model_type: 'falcon', alibi: true }, /ALiBi/],
    ['no sizes', { hidden_size: undefined }, /no hidden_size/],
    ['a size that is no number', { hidden_size: '64' }, /hidden_size/],
  ])('with %s that would be computed wrongly is refused', (_, change, message) => {
    expect(() => shapeOfConfig({ ...llama, ...change })).toThrow(message)
  })
})
