import { ropeMode, type Tensor } from '@petals-chat/ggml/native'
import { linear, rmsNorm, type BlockContext } from './block-context.ts'

/** Self-attention of every family: projections, norms of heads (Qwen 3), rotary positions, the cache, the projection back. */
export function selfAttention(block: BlockContext, input: Tensor): Tensor {
  const { ggml, context, shape, tokens } = block
  const heads = (name: string, count: number): Tensor => {
    const projected = linear(block, name, input)
    const split = ggml.reshape_3d(context, projected, shape.headSize, count, tokens)
    return rotate(block, normHeads(block, name, split))
  }
  const attended = block.attend(
    heads('attn_q', shape.heads),
    heads('attn_k', shape.kvHeads),
    linear(block, 'attn_v', input),
  )
  return linear(block, 'attn_output', attended)
}

const normHeads = (block: BlockContext, name: string, value: Tensor): Tensor =>
  block.weight(`${name}_norm.weight`) === undefined ? value : rmsNorm(block, `${name}_norm`, value)

/** ggml's own YaRN is off (`ext_factor` 0, which leaves `beta_fast` and `beta_slow` without effect): it is in the factors. */
function rotate({ ggml, context, shape, positions, ropeFactors }: BlockContext, value: Tensor): Tensor {
  const { rope } = shape
  if (!rope) return value
  const mode = rope.pairs === 'halves' ? ropeMode.neox : ropeMode.normal
  const { size, base, scale, magnitude } = rope
  const factors = ropeFactors ?? 0
  return ggml.rope_ext(
    context,
    value,
    positions,
    factors,
    size,
    mode,
    shape.contextLength,
    base,
    scale,
    0,
    magnitude,
    32,
    1,
  )
}
