import type { Tensor } from '@petals-chat/ggml/native'
import { layerNorm, linear, type BlockContext, type BuildBlock } from './block-context.ts'
import { selfAttention } from './self-attention.ts'

/** BLOOM: layer norms and biases, ALiBi in the attention's mask, GELU by tanh (transformers, modeling_bloom.py). */
export const buildBloomBlock: BuildBlock = (block, input) => {
  const { ggml, context } = block
  const attended = ggml.add(context, selfAttention(block, layerNorm(block, 'attn_norm', input)), input)
  const hidden = linear(block, 'ffn_up', layerNorm(block, 'ffn_norm', attended))
  return ggml.add(context, linear(block, 'ffn_down', tanhGelu(block, hidden)), attended)
}

/** x/2 · (1 + tanh(√(2/π)·x·(1 + 0.044715·x²))). ggml's own `gelu` reads a table of half precision. */
function tanhGelu({ ggml, context }: BlockContext, x: Tensor): Tensor {
  const root = Math.sqrt(2 / Math.PI)
  const inner = ggml.scale_bias(context, ggml.sqr(context, x), 0.044715 * root, root)
  const gate = ggml.tanh(context, ggml.mul(context, x, inner))
  return ggml.mul(context, x, ggml.scale_bias(context, gate, 0.5, 0.5))
}
