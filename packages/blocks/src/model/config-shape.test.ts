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

  it.each([
    ['a family', { model_type: 'gpt2' }, /model_type 'gpt2' is not one of llama/],
    ['an activation', { hidden_act: 'gelu' }, /activation 'gelu'/],
    [
      'a scaling of positions',
      { rope_scaling: { rope_type: 'yarn', factor: 4 } },
      /rope_scaling 'yarn' is not known/,
    ],
    ['a window of some blocks', { model_type: 'qwen2', use_sliding_window: true }, /use_sliding_window/],
    ['ALiBi of Falcon', { model_type: 'falcon', alibi: true }, /ALiBi/],
    ['no sizes', { hidden_size: undefined }, /no hidden_size/],
    ['a size that is no number', { hidden_size: '64' }, /hidden_size/],
  ])('with %s that would be computed wrongly is refused', (_, change, message) => {
    expect(() => shapeOfConfig({ ...llama, ...change })).toThrow(message)
  })
})
