import type { PetalsModelSpec } from '@petals-chat/petals/config'
import type { Config } from '../config/schema.ts'
import type { ModelFiles } from '@petals-chat/engine'
import { formatBytes } from '../terminal/format.ts'
import { localPartBytes, readLocalPart } from './local-part.ts'

/** A line of `models info`. */
export type Field = readonly [label: string, value: string]

/** What a GGUF file says of its model, and the memory that it needs here. */
export async function describeGguf(
  file: string,
  { contextLength, sequences }: Config['llama'],
): Promise<readonly Field[]> {
  const { readGgufInfo } = await import('@petals-chat/llama')
  const info = await readGgufInfo(file)
  const tokens = Math.min(contextLength ?? usualContextLength, info.contextLength || Infinity)
  const sessions = sequences ?? usualSequences
  const cache = info.kvBytesPerToken * tokens
  return [
    ['Name', info.name ?? 'not named'],
    ['Architecture', `${info.architecture}, ${info.blockCount} blocks, ${info.embeddingLength} wide`],
    ['Parameters', formatCount(info.parameterCount)],
    ['Quantization', info.quantization],
    ['Context', `${info.contextLength} tokens`],
    ['Vocabulary', `${info.vocabSize} tokens (${info.tokenizer.model ?? 'unknown'} tokenizer)`],
    [
      'Chat template',
      info.chatTemplate === undefined ? 'none: dialogues are written as configured (dialogue:)' : 'yes',
    ],
    [
      'Memory',
      `about ${formatBytes(info.fileSize + sessions * cache)}: weights ${formatBytes(info.fileSize)}, ` +
        `KV cache ${formatBytes(cache)} for each of ${sessions} sessions of ${tokens} tokens`,
    ],
  ]
}

/** What the engine takes where the configuration says nothing and memory is not short (llama.contextLength, on a CPU). */
const usualContextLength = 8192
/** The same for llama.sequences. */
const usualSequences = 4

/** Where a model is in a swarm, and the memory that this process needs for its part. */
export async function describeSwarmModel(
  model: PetalsModelSpec,
  files: ModelFiles,
): Promise<readonly Field[]> {
  const { readSwarmModelInfo } = await import('@petals-chat/petals')
  const info = await readSwarmModelInfo(model, files)
  const prefix =
    info.dhtPrefix ?? 'unknown: give its dhtPrefix (--dht-prefix), as its servers were given --dht_prefix'
  return [
    ['Architecture', `${info.modelType}, ${info.blocks} blocks, ${info.hiddenSize} wide`],
    ['Context', `${info.contextLength} tokens`],
    ['In the swarm', `${prefix}${model.adapter === undefined ? '' : `, with the adapter ${model.adapter}`}`],
    ['Servers', 'petals-chat swarm status'],
    [
      'Download',
      `${info.downloadBytes === undefined ? 'no more than' : `about ${formatBytes(info.downloadBytes)}:`} ` +
        'tokenizer, embeddings and LM head; the blocks stay with the servers',
    ],
    [
      'Memory',
      `about ${formatBytes(info.memoryBytes)} for the LM head in 8 bits (as much on the disk, made once); ` +
        'all other weights stay in their files',
    ],
  ]
}

/** The memory that a swarm's client needs for its own part of a model, in the manner of the original's table. */
export function describeLocalPart(configJson: string): readonly Field[] {
  const part = readLocalPart(configJson)
  if (part === undefined) return []
  const { vocabSize, hiddenSize, tiedEmbeddings } = part
  // Rounded once, so that the second line is twice the first, as the table has it.
  const gigabytes = Math.round(localPartBytes(part) / 1e7) / 100
  return [
    [
      'Embeddings',
      `${vocabSize} tokens x ${hiddenSize}${tiedEmbeddings ? ', shared with the LM head' : ', and an LM head'}`,
    ],
    ['Embeds in 16-bit', `${gigabytes.toFixed(2)} GB`],
    ['Embeds in 32-bit', `${(2 * gigabytes).toFixed(2)} GB`],
  ]
}

function formatCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} billion`
  return count >= 1e6 ? `${(count / 1e6).toFixed(0)} million` : String(count)
}
