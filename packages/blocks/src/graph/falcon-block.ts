import { layerNorm, linear, type BuildBlock } from './block-context.ts'
import { selfAttention } from './self-attention.ts'

/**
 * Falcon: attention and the feed-forward network side by side, after one norm (7B) or one each (40B, 180B), and the exact
 * GELU (transformers, modeling_falcon.py).
 */
export const buildFalconBlock: BuildBlock = (block, input) => {
  const { ggml, context } = block
  const normed = layerNorm(block, 'attn_norm', input)
  const ffnInput =
    block.weight('ffn_norm.weight') === undefined ? normed : layerNorm(block, 'ffn_norm', input)
  const activated = ggml.gelu_erf(context, linear(block, 'ffn_up', ffnInput))
  const output = ggml.add(context, linear(block, 'ffn_down', activated), selfAttention(block, normed))
  return ggml.add(context, output, input)
}
