import type { LocalModelEntry, ModelEntry } from '../config/schema.ts'
import type { PetalsModelSpec } from '@petals-chat/petals/config'
import type { ModelStore } from '@petals-chat/hub'
import { localPartBytes, readLocalPart } from './local-part.ts'

/** Memory of this machine that a loaded model takes. */
export interface MemoryNeed {
  readonly bytes: number
  /** Memory that chat.petals.dev needs for the same part of a swarm model, in 16 bits. */
  readonly original?: { readonly bytes16: number } | undefined
}

/** Minimum useful length of a session with a local model, in tokens; the engine allows more if there is memory. */
const minimumLength = 1024

/** Computes the need from local files, and for swarm models from the Hub's config.json. Undefined if it is not known yet. */
export async function memoryNeed(spec: ModelEntry, store: ModelStore): Promise<MemoryNeed | undefined> {
  if (spec.engine === 'upstream') return undefined
  return spec.engine === 'petals' ? swarmNeed(spec, store) : localNeed(spec, store)
}

async function swarmNeed(
  spec: Pick<PetalsModelSpec, 'source' | 'dhtPrefix' | 'speculation'>,
  store: ModelStore,
): Promise<MemoryNeed> {
  const files = await store.openFiles(spec.source)
  const { readSwarmModelInfo } = await import('@petals-chat/petals')
  const { memoryBytes } = await readSwarmModelInfo(spec, files)
  const part = readLocalPart((await files.text('config.json')) ?? '')
  const draft = spec.speculation?.draft
  const draftNeed = draft && (await localNeed({ source: draft }, store))
  return { bytes: memoryBytes + (draftNeed?.bytes ?? 0), original: part && { bytes16: localPartBytes(part) } }
}

/** Computes the need of a GGUF model. Undefined if its file is not on this machine. */
export async function localNeed(
  { source }: Pick<LocalModelEntry, 'source'>,
  store: ModelStore,
): Promise<MemoryNeed | undefined> {
  const files = (await store.info(source)).flatMap((alternative) => alternative.files)
  const parts = files.filter(({ name, path }) => path !== undefined && /\.gguf$/i.test(name))
  const first = parts[0]?.path
  if (first === undefined) return undefined
  const { readGgufInfo } = await import('@petals-chat/llama')
  const { kvBytesPerToken, fileSize } = await readGgufInfo(first)
  const weights = parts.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0)
  return { bytes: Math.max(weights, fileSize) + kvBytesPerToken * minimumLength }
}
