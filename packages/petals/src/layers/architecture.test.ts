import { describe, expect, it } from 'vitest'
import { parseArchitecture } from './architecture.ts'

/** The relevant keys of real configurations on the Hub. */
const configs = {
  'Llama 2 70B': {
    model_type: 'llama',
    hidden_size: 8192,
    num_hidden_layers: 80,
    vocab_size: 32000,
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
    bos_token_id: 1,
    eos_token_id: 2,
  },
  'Llama 3.2 1B Instruct': {
    model_type: 'llama',
    hidden_size: 2048,
    num_hidden_layers: 16,
    vocab_size: 128256,
    max_position_embeddings: 131072,
    rms_norm_eps: 1e-5,
    rope_scaling: { factor: 32, rope_type: 'llama3' },
    tie_word_embeddings: true,
    bos_token_id: 128000,
    eos_token_id: [128001, 128008, 128009],
  },
  'Mixtral 8x7B': {
    model_type: 'mixtral',
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_local_experts: 8,
    vocab_size: 32000,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-5,
    sliding_window: null,
    tie_word_embeddings: false,
    bos_token_id: 1,
    eos_token_id: 2,
  },
  'Falcon 40B': {
    model_type: 'falcon',
    hidden_size: 8192,
    num_hidden_layers: 60,
    vocab_size: 65024,
    layer_norm_epsilon: 1e-5,
    alibi: false,
    bos_token_id: 11,
    eos_token_id: 11,
  },
  BLOOM: {
    model_type: 'bloom',
    n_embed: 14336,
    n_layer: 70,
    vocab_size: 250880,
    seq_length: 2048,
    layer_norm_epsilon: 1e-5,
    bos_token_id: 1,
    eos_token_id: 2,
  },
} as const

const architecture = (name: keyof typeof configs) => parseArchitecture(configs[name], name)

describe('parseArchitecture', () => {
  it('parses Llama 2', () => {
    expect(architecture('Llama 2 70B')).toEqual({
      modelType: 'llama',
      hiddenSize: 8192,
      vocabularySize: 32000,
      blocks: 80,
      contextLength: 8192,
      embedding: ['model.embed_tokens.weight'],
      finalNorm: { kind: 'rms', weight: ['model.norm.weight'], epsilon: 1e-5 },
      head: ['lm_head.weight'],
      bosToken: 1,
      eosTokens: [2],
    })
  })

  it('parses the tied head and the end tokens of Llama 3', () => {
    const { head, eosTokens, contextLength } = architecture('Llama 3.2 1B Instruct')
    expect({ head, eosTokens, contextLength }).toEqual({
      head: 'tied',
      eosTokens: [128001, 128008, 128009],
      contextLength: 131072,
    })
  })

  it('parses Mixtral, whose outer layers are those of Llama', () => {
    const { modelType, embedding, finalNorm, head, blocks } = architecture('Mixtral 8x7B')
    expect({ modelType, embedding, finalNorm, head, blocks }).toEqual({
      modelType: 'mixtral',
      embedding: ['model.embed_tokens.weight'],
      finalNorm: { kind: 'rms', weight: ['model.norm.weight'], epsilon: 1e-5 },
      head: ['lm_head.weight'],
      blocks: 32,
    })
  })

  it('parses Falcon, whose head is tied by default', () => {
    const { embedding, finalNorm, head, embeddingNorm, contextLength } = architecture('Falcon 40B')
    expect({ embedding, head, embeddingNorm, contextLength }).toEqual({
      embedding: ['transformer.word_embeddings.weight', 'word_embeddings.weight'],
      head: 'tied',
      embeddingNorm: undefined,
      contextLength: 8192,
    })
    expect(finalNorm).toEqual({
      kind: 'layer',
      weight: ['transformer.ln_f.weight', 'ln_f.weight'],
      bias: ['transformer.ln_f.bias', 'ln_f.bias'],
      epsilon: 1e-5,
    })
    const untied = parseArchitecture({ ...configs['Falcon 40B'], tie_word_embeddings: false }, 'x')
    expect(untied.head).toEqual(['lm_head.weight'])
  })

  it.each([
    ['Llama 2 70B', { max_position_embeddings: 2048 }, 8192],
    ['Llama 2 70B', { max_position_embeddings: 16_384 }, 16_384],
    ['Llama 2 70B', { max_position_embeddings: 256 }, 256],
    ['Mixtral 8x7B', {}, 32_768],
    ['Falcon 40B', { alibi: true }, 2048],
    ['BLOOM', {}, 2048],
  ] as const)('gives a session of %s with %j the length that the original gave', (name, changes, length) => {
    expect(parseArchitecture({ ...configs[name], ...changes }, name).contextLength).toBe(length)
  })

  it('parses BLOOM, with its own names of keys and its norm of the embeddings', () => {
    const { hiddenSize, blocks, contextLength, embeddingNorm, head } = architecture('BLOOM')
    expect({ hiddenSize, blocks, contextLength, head }).toEqual({
      hiddenSize: 14336,
      blocks: 70,
      contextLength: 2048,
      head: 'tied',
    })
    expect(embeddingNorm?.weight).toEqual([
      'transformer.word_embeddings_layernorm.weight',
      'word_embeddings_layernorm.weight',
    ])
  })

  it.each([
    ['model_type', { model_type: undefined }, /model_type/],
    ['vocab_size', { vocab_size: undefined }, /vocab_size/],
    ['hidden_size', { hidden_size: undefined }, /no hidden_size/],
    ['num_hidden_layers', { num_hidden_layers: undefined }, /no num_hidden_layers/],
    [
      'a known family',
      { model_type: 'gpt2' },
      /model_type 'gpt2' is not one of llama, mixtral, falcon, bloom/,
    ],
    ['a family at all', { model_type: 'constructor' }, /'constructor' is not one of/],
    ['a positive size', { hidden_size: 0 }, /hidden_size/],
    ['whole numbers', { vocab_size: 1.5 }, /vocab_size/],
    ['end tokens that are numbers', { eos_token_id: '</s>' }, /eos_token_id/],
  ])('refuses a config without %s', (_, change, message) => {
    const parse = () => parseArchitecture({ ...configs['Llama 2 70B'], ...change }, 'owner/model@main')
    expect(parse).toThrow(/config\.json of owner\/model@main can't be used/)
    expect(parse).toThrow(message)
  })

  it('does not require token ids', () => {
    const { eos_token_id: _, bos_token_id: __, ...rest } = configs['Llama 2 70B']
    expect(parseArchitecture(rest, 'x')).toMatchObject({ eosTokens: [], bosToken: undefined })
    expect(parseArchitecture({ ...rest, eos_token_id: null }, 'x').eosTokens).toEqual([])
  })

  it('refuses a config that is not an object', () => {
    for (const json of [null, [], 'text', 7])
      expect(() => parseArchitecture(json, 'x')).toThrow(/can't be used/)
  })
})

it.each([
  ['num_hidden_layers', 5_000_000],
  ['num_hidden_layers', Number.MAX_SAFE_INTEGER],
  ['num_hidden_layers', 1e308],
  ['hidden_size', 2 ** 40],
  ['vocab_size', 2 ** 31],
  ['max_position_embeddings', Number.MAX_SAFE_INTEGER],
  ['rms_norm_eps', 1e30],
  ['eos_token_id', Array.from({ length: 5000 }, () => 1)],
])('refuses %s: %s, which no model has', (key, value) => {
  const config = {
    model_type: 'llama',
    vocab_size: 32_000,
    hidden_size: 64,
    num_hidden_layers: 2,
    [key]: value,
  }
  expect(() => parseArchitecture(config, 'a folder')).toThrow(`config.json of a folder can't be used: ${key}`)
})
