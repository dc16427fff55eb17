import type { PetalsModelSpec } from '@petals-chat/petals/config'
import type { Config } from '../config/schema.ts'
import type { ModelFiles } from '@petals-chat/engine'
import { formatBytes } from '../terminal/format.ts'
import { localPartBytes, readLocalPart } from './local-part.ts'

/** A line of `models info`. */
export type Field = readonly [label: string, value: string]

/** Describes the model of a GGUF file, and the memory that it needs on this machine. */
export async function describeGguf(
  file: string,
  { contextLength, sequences }: Config['llama'],
): Promise<readonly Field[]> {
  const { readGgufInfo } = await import('@petals-chat/llama')
  const info = await readGgufInfo(file)
  const tokens = Math.min(contextLength ?? defaultContextLength, info.contextLength || Infinity)
  const sessions = sequences ?? defaultSequences
  const cache = info.kvBytesPerToken * tokens
  return [
    ['Name', info.name ?? 'unnamed'],
    ['Architecture', `${info.architecture}, ${info.blockCount} blocks, ${info.embeddingLength} wide`],
    ['Parameters', formatCount(info.parameterCount)],
    ['Quantization', info.quantization],
    ['Context', `${info.contextLength} tokens`],
    ['Vocabulary', `${info.vocabSize} tokens (${info.tokenizer.model ?? 'unknown'} tokenizer)`],
    [
      'Chat template',
      info.chatTemplate === undefined ? 'none: dialogues have the configured format (dialogue:)' : 'yes',
    ],
    [
      'Memory',
      `about ${formatBytes(info.fileSize + sessions * cache)}: weights ${formatBytes(info.fileSize)}, ` +
        `KV cache ${formatBytes(cache)} for each of ${sessions} sessions of ${tokens} tokens`,
    ],
  ]
}

/** The engine's default if memory is not short (llama.contextLength, on a CPU). */
const defaultContextLength = 8192
/** The same for llama.sequences. */
const defaultSequences = 4

/** Describes where a model is in a swarm, and the memory that this process needs for its part. */
export async function describeSwarmModel(
  model: PetalsModelSpec,
  files: ModelFiles,
): Promise<readonly Field[]> {
  const { readSwarmModelInfo } = await import('@petals-chat/petals')
  const info = await readSwarmModelInfo(model, files)
  const prefix =
    info.dhtPrefix ?? 'unknown: set its dhtPrefix (--dht-prefix) to the --dht_prefix of its servers'
  return [
    ['Architecture', `${info.modelType}, ${info.blocks} blocks, ${info.hiddenSize} wide`],
    ['Context', `${info.contextLength} tokens`],
    ['In the swarm', `${prefix}${model.adapter === undefined ? '' : `, with the adapter ${model.adapter}`}`],
    ['Servers', 'petals-chat swarm status'],
    [
      'Download',
      `${info.downloadBytes === undefined ? 'only' : `about ${formatBytes(info.downloadBytes)}:`} ` +
        'tokenizer, embeddings and LM head; the blocks stay on the servers',
    ],
    [
      'Memory',
      `about ${formatBytes(info.memoryBytes)} for the LM head in 8 bits (and as much disk space for its copy, made once); ` +
        'all other weights stay in their files',
    ],
  ]
}

/** Describes the memory that a swarm's client needs for its own part of a model, as in the original's table. */
export function describeLocalPart(configJson: string): readonly Field[] {
  const part = readLocalPart(configJson)
  if (part === undefined) return []
  const { vocabSize, hiddenSize, tiedEmbeddings } = part
  // Rounded once, so that the second line is twice the first, as in the table.
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
