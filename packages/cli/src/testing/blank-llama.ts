/** The files of a Llama whose weights are all zero, in the format of transformers: enough to plan a server with. */
export function blankLlama(blocks: number): {
  readonly 'config.json': string
  readonly 'model.safetensors': Buffer
} {
  const [hidden, inner] = [64, 128]
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: inner,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    num_hidden_layers: blocks,
    vocab_size: 1000,
    torch_dtype: 'float16',
  }
  const square = [hidden, hidden]
  const tensors = {
    'self_attn.q_proj': square,
    'self_attn.k_proj': square,
    'self_attn.v_proj': square,
    'self_attn.o_proj': square,
    'mlp.gate_proj': [inner, hidden],
    'mlp.up_proj': [inner, hidden],
    'mlp.down_proj': [hidden, inner],
    input_layernorm: [hidden],
    post_attention_layernorm: [hidden],
  }
  let end = 0
  const entries = Array.from({ length: blocks }, (_, block) =>
    Object.entries(tensors).map(([name, shape]) => {
      const start = end
      end += shape.reduce((product, size) => product * size, 2) // two bytes for each value
      return [`model.layers.${block}.${name}.weight`, { dtype: 'F16', shape, data_offsets: [start, end] }]
    }),
  ).flat()
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return {
    'config.json': JSON.stringify(config),
    'model.safetensors': Buffer.concat([length, header, Buffer.alloc(end)]),
  }
}
