/** A value of a GGUF's metadata. Numbers are written as uint32 unless they have a fraction. */
export type TinyValue = number | string | boolean | readonly string[] | readonly number[]

export interface TinyTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** ggml's number of the type; 0 is F32. */
  readonly type: number
  readonly offset: number
}

export interface TinyGguf {
  readonly metadata: Readonly<Record<string, TinyValue>>
  readonly tensors: readonly TinyTensor[]
  /** The number of bytes of weights after the header. */
  readonly dataLength: number
}

/** A small, valid model file whose weights are zero. */
export const tinyModel: TinyGguf = {
  metadata: {
    'general.architecture': 'llama',
    'general.name': 'Tiny',
    'general.file_type': 0,
    'llama.context_length': 128,
    'llama.embedding_length': 32,
    'llama.block_count': 2,
    'llama.attention.head_count': 4,
    'llama.attention.head_count_kv': 2,
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': ['a', 'b', 'ab', '<|endoftext|>'],
    'tokenizer.ggml.token_type': [1, 1, 1, 3],
    'tokenizer.ggml.merges': ['a b'],
    'tokenizer.ggml.eos_token_id': 3,
    'tokenizer.chat_template': '{{ messages }}',
  },
  tensors: [
    { name: 'token_embd.weight', shape: [32, 4], type: 0, offset: 0 },
    { name: 'output_norm.weight', shape: [32], type: 0, offset: 512 },
  ],
  dataLength: 640,
}

/** Writes the bytes of a GGUF file, which may be invalid. */
export function writeGguf({ metadata, tensors, dataLength }: TinyGguf): Buffer {
  const parts: Buffer[] = [
    Buffer.from('GGUF'),
    uint32(3),
    uint64(tensors.length),
    uint64(Object.keys(metadata).length),
  ]
  for (const [key, value] of Object.entries(metadata)) parts.push(text(key), Buffer.concat(valueBytes(value)))
  for (const { name, shape, type, offset } of tensors) {
    parts.push(text(name), uint32(shape.length), ...shape.map(uint64), uint32(type), uint64(offset))
  }
  const header = Buffer.concat(parts)
  return Buffer.concat([header, Buffer.alloc(-header.length & 31), Buffer.alloc(dataLength)])
}

function valueBytes(value: TinyValue): Buffer[] {
  if (typeof value === 'string') return [uint32(8), text(value)]
  if (typeof value === 'boolean') return [uint32(7), Buffer.of(value ? 1 : 0)]
  if (typeof value === 'number')
    return Number.isInteger(value) ? [uint32(4), uint32(value)] : [uint32(6), float32(value)]
  const isText = typeof value[0] === 'string'
  const items = value.map((item) => (typeof item === 'string' ? text(item) : uint32(item)))
  return [uint32(9), uint32(isText ? 8 : 5), uint64(value.length), ...items]
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint64(bytes.length), bytes])
}
