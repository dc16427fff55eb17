import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ModelFiles } from '@petals-chat/engine'

/** Sizes of the model: Llama's family, with grouped heads. */
export const tiny = { blocks: 4, hidden: 64, heads: 4, kvHeads: 2, headSize: 16, feedForward: 96 } as const

/** Random numbers that are the same in every run, of about a normal distribution. */
export function randomStates(seed: number, count: number): Float32Array {
  let state = (seed + 1) * 2_654_435_761
  const next = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) | 0
    return (state >>> 8) / 2 ** 24
  }
  return Float32Array.from({ length: count }, () => (next() + next() + next() + next() - 2) * 1.7)
}

export interface TinyModel extends AsyncDisposable {
  readonly files: ModelFiles
}

/** Writes a model with random weights to a folder, in the format of transformers. */
export async function makeTinyModel(): Promise<TinyModel> {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-tiny-'))
  const { blocks, hidden, heads, kvHeads, headSize, feedForward } = tiny
  const config = {
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: feedForward,
    num_hidden_layers: blocks,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 4096,
  }
  const matrices = {
    'self_attn.q_proj': [heads * headSize, hidden],
    'self_attn.k_proj': [kvHeads * headSize, hidden],
    'self_attn.v_proj': [kvHeads * headSize, hidden],
    'self_attn.o_proj': [hidden, heads * headSize],
    'mlp.gate_proj': [feedForward, hidden],
    'mlp.up_proj': [feedForward, hidden],
    'mlp.down_proj': [hidden, feedForward],
    input_layernorm: [hidden],
    post_attention_layernorm: [hidden],
  }
  const tensors = Array.from({ length: blocks }, (_, block) =>
    Object.entries(matrices).map(([name, shape]) => ({
      name: `model.layers.${block}.${name}.weight`,
      shape,
    })),
  ).flat()
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(path.join(folder, 'model.safetensors'), safetensors(tensors))
  return {
    files: folderFiles(folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

function safetensors(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Buffer {
  let offset = 0
  const data: Buffer[] = []
  const entries = tensors.map(({ name, shape }, index) => {
    const count = shape.reduce((product, size) => product * size, 1)
    const values = randomStates(index, count).map((value) =>
      shape.length === 1 ? 1 + value / 5 : value * 0.15,
    )
    const start = offset
    offset += count * 4
    data.push(Buffer.from(values.buffer))
    return [name, { dtype: 'F32', shape, data_offsets: [start, offset] }] as const
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, ...data])
}

/** The files of a folder. */
export function folderFiles(folder: string): ModelFiles {
  const place = (name: string): string => path.join(folder, name)
  return {
    description: folder,
    list: () => readdir(folder),
    path: async (name) => place(name),
    text: (name) => readFile(place(name), 'utf8').catch(() => undefined),
    textPath: (name) =>
      stat(place(name)).then(
        () => place(name),
        () => undefined,
      ),
    size: async (name) => (await stat(place(name))).size,
    async range(name, start, end) {
      await using file = await open(place(name))
      const bytes = new Uint8Array(end - start)
      await file.read(bytes, 0, bytes.length, start)
      return bytes
    },
    rangeFile: async (name, start) => ({ path: place(name), offset: start }),
  }
}
