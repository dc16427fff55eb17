import type { Tensor } from '@petals-chat/ggml/native'
import { linear, need, rmsNorm, type BlockContext, type BuildBlock } from './block-context.ts'
import { selfAttention } from './self-attention.ts'

/** Llama, Mistral, Mixtral, Qwen 2 and 3: RMS norms, rotary positions, SwiGLU (transformers, modeling_llama.py). */
export const buildLlamaBlock: BuildBlock = (block, input) => {
  const { ggml, context } = block
  const attended = ggml.add(context, selfAttention(block, rmsNorm(block, 'attn_norm', input)), input)
  const normed = rmsNorm(block, 'ffn_norm', attended)
  const output = block.shape.experts
    ? mixture(block, normed, block.shape.experts)
    : feedForward(block, normed)
  return ggml.add(context, output, attended)
}

function feedForward(block: BlockContext, input: Tensor): Tensor {
  const { ggml, context } = block
  const gated = ggml.swiglu_split(context, linear(block, 'ffn_gate', input), linear(block, 'ffn_up', input))
  return linear(block, 'ffn_down', gated)
}

/**
 * Each token goes through the experts that the router gives the highest probabilities, which are scaled to sum to 1
 * (transformers, modeling_mixtral.py; llama.cpp, build_moe_ffn).
 */
function mixture(
  block: BlockContext,
  input: Tensor,
  { count, used }: { readonly count: number; readonly used: number },
): Tensor {
  const { ggml, context, shape, tokens } = block
  const probabilities = ggml.soft_max(
    context,
    ggml.mul_mat(context, need(block, 'ffn_gate_inp.weight'), input),
  )
  const chosen = ggml.top_k(context, probabilities, used)
  const rows = ggml.reshape_3d(context, probabilities, 1, count, tokens)
  const weights = ggml.reshape_2d(context, ggml.get_rows(context, rows, chosen), used, tokens)
  const scaled = ggml.div(context, weights, ggml.sum_rows(context, weights))
  const expert = (name: string, value: Tensor) =>
    ggml.mul_mat_id(context, need(block, `${name}_exps.weight`), value, chosen)
  const each = ggml.reshape_3d(context, input, shape.hiddenSize, 1, tokens)
  const gated = ggml.swiglu_split(context, expert('ffn_gate', each), expert('ffn_up', each))
  const outputs = ggml.mul(
    context,
    expert('ffn_down', gated),
    ggml.reshape_3d(context, scaled, 1, used, tokens),
  )
  return sumOfExperts(block, outputs, used)
}

/** @param outputs `[hidden, used, tokens]` */
function sumOfExperts({ ggml, context, shape, tokens }: BlockContext, outputs: Tensor, used: number): Tensor {
  const rowBytes = shape.hiddenSize * Float32Array.BYTES_PER_ELEMENT
  const parts = Array.from({ length: used }, (_, index) =>
    ggml.view_2d(context, outputs, shape.hiddenSize, tokens, rowBytes * used, rowBytes * index),
  )
  return parts.reduce((sum, part) => ggml.add(context, sum, part))
}
