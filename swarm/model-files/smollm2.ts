import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseGgufHeader, type GgufHeader } from '@petals-chat/llama/gguf'
import { dequantize } from './dequantize.ts'
import { toHalves, writeSafetensors, type PlainTensor } from './safetensors.ts'

/** GGUF's names of tensors, and those of transformers. */
const blockNames: Readonly<Record<string, string>> = {
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
  attn_norm: 'input_layernorm',
  ffn_norm: 'post_attention_layernorm',
}
const topNames: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
}

/** Makes a folder in the format of transformers, in 32 bits, from the GGUF file of SmolLM2. */
export async function makeSmolLm2(folder: string, gguf: string): Promise<void> {
  const bytes = await readFile(gguf)
  const header = parseGgufHeader(bytes, bytes.length)
  const fields = fieldsOf(header)
  const heads = fields.number('llama.attention.head_count')
  const kvHeads = fields.number('llama.attention.head_count_kv')
  const tensors = header.tensors.map((tensor): PlainTensor => {
    const start = header.dataOffset + tensor.offset
    const values = () => dequantize(tensor.type.name, bytes.subarray(start, start + tensor.byteLength))
    const shape = tensor.shape.toReversed()
    const top = topNames[tensor.name]
    if (top !== undefined) return { name: top, shape, values }
    const [, block, kind = ''] = tensor.name.split('.')
    const name = `model.layers.${block}.${blockNames[kind]}.weight`
    const turned = { attn_q: heads, attn_k: kvHeads }[kind]
    return {
      name,
      shape,
      values: turned === undefined ? values : () => toHalves(values(), shape[0]!, turned),
    }
  })
  const config = configOf(fields, header, { heads, kvHeads })
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors)
  await writeJson(folder, 'config.json', config)
  await writeTokenizer(folder, fields, config)
}

const writeJson = (folder: string, name: string, value: object): Promise<void> =>
  writeFile(path.join(folder, name), JSON.stringify(value))

type Fields = ReturnType<typeof fieldsOf>

function fieldsOf({ metadata }: GgufHeader) {
  const known = (key: string) => {
    const value = metadata.get(key)
    if (value === undefined) throw new Error(`The GGUF file has no ${key}.`)
    return value
  }
  return {
    number: (key: string) => Number(known(key)),
    text: (key: string) => String(known(key)),
    strings: (key: string): readonly string[] => [...listOf(known(key)).strings()],
    numbers: (key: string): readonly number[] => [...listOf(known(key)).numbers()],
  }
}

type GgufValue = GgufHeader['metadata'] extends ReadonlyMap<string, infer Value> ? Value : never

function listOf(value: GgufValue): Extract<GgufValue, object> {
  if (typeof value === 'object') return value
  throw new Error('The GGUF file has a single value where a list is needed.')
}

function configOf(
  fields: Fields,
  { tensors }: GgufHeader,
  { heads, kvHeads }: { readonly heads: number; readonly kvHeads: number },
) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_act: 'silu',
    hidden_size: fields.number('llama.embedding_length'),
    intermediate_size: fields.number('llama.feed_forward_length'),
    max_position_embeddings: fields.number('llama.context_length'),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    num_hidden_layers: fields.number('llama.block_count'),
    rms_norm_eps: fields.number('llama.attention.layer_norm_rms_epsilon'),
    rope_theta: fields.number('llama.rope.freq_base'),
    tie_word_embeddings: !tensors.some(({ name }) => name === 'output.weight'),
    vocab_size: fields.strings('tokenizer.ggml.tokens').length,
    bos_token_id: fields.number('tokenizer.ggml.bos_token_id'),
    eos_token_id: fields.number('tokenizer.ggml.eos_token_id'),
    torch_dtype: 'float32',
    pretraining_tp: 1,
  }
}

/** llama.cpp's number of the type of control tokens. */
const control = 3

/** Writes the tokenizer: BPE on bytes, whose vocabulary and merges are in the GGUF file. */
async function writeTokenizer(
  folder: string,
  fields: Fields,
  config: ReturnType<typeof configOf>,
): Promise<void> {
  const tokens = fields.strings('tokenizer.ggml.tokens')
  const types = fields.numbers('tokenizer.ggml.token_type')
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const digits = { type: 'Digits', individual_digits: true }
  await writeJson(folder, 'tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => (types[id] === control ? [{ id, content, ...plain }] : [])),
    normalizer: null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [digits, byteLevel] },
    post_processor: null,
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((text, id) => [text, id])),
      merges: fields.strings('tokenizer.ggml.merges'),
    },
  })
  await writeJson(folder, 'tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: tokens[config.bos_token_id],
    eos_token: tokens[config.eos_token_id],
    chat_template: fields.text('tokenizer.chat_template'),
    model_max_length: config.max_position_embeddings,
    clean_up_tokenization_spaces: false,
  })
}
