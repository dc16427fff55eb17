import path from 'node:path'
import type { BlockModel } from '@petals-chat/blocks'
import type { LoadProgress } from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import { deriveDhtPrefix } from '@petals-chat/petals/config'
import type { ContributedModel } from './contributed-model.ts'

/**
 * Opens the model for the native engine. Reads headers only; a file that has other places to come from is fetched whole.
 * @throws ModelUnavailableError, also if the engine does not know such models
 */
export async function openNativeModel(
  { source, isGguf }: ContributedModel,
  store: ModelStore,
  onProgress: (progress: LoadProgress) => void,
): Promise<BlockModel> {
  const { openBlockModel } = await import('@petals-chat/blocks')
  if (!isGguf) return await openBlockModel(await store.openFiles(source))
  if (source.type === 'hub') {
    const file = source.file ?? (await store.info(source))[0]?.files[0]?.name
    const files = await store.openFiles({ ...source, file: undefined, quantization: undefined })
    return await openBlockModel(files, { file })
  }
  const file = await store.resolveFile(source, { onProgress })
  const files = await store.openFiles({ type: 'local', path: path.dirname(file) })
  return await openBlockModel(files, { file: path.basename(file) })
}

const petalsFamilies = ['llama', 'mixtral', 'falcon', 'bloom'] as const

/**
 * Returns the model's name in the swarm: the one of the command line or of the configuration, or the one that Petals derives
 * from a repository of this name. A GGUF file is named after the model without its quantization.
 */
export function nativePrefix(
  { spec, isLocal, isGguf, model, source }: ContributedModel,
  modelType: string,
  wish: string | undefined,
): string {
  const given = wish ?? (spec?.engine === 'petals' ? spec.dhtPrefix : undefined)
  if (given !== undefined) return given
  const file = source.type === 'hub' ? source.file : undefined
  const place =
    isGguf && file !== undefined
      ? path.posix.basename(file)
      : isLocal || isGguf
        ? path.basename(model)
        : model
  const name = isGguf ? withoutQuantization(place) : place
  const family = petalsFamilies.find((each) => each === modelType) ?? 'mixtral' // whose rule is the name itself
  return deriveDhtPrefix(family, name.replaceAll(' ', '-'))
}

/** `SmolLM2-135M-Instruct.Q4_1.gguf` → `SmolLM2-135M-Instruct`. */
const withoutQuantization = (name: string): string =>
  name
    .replace(/(-00001-of-\d{5})?\.gguf$/i, '')
    .replace(/[-.](I?Q\d\w*|TQ\d\w*|BF16|F16|F32|MXFP4\w*)$/i, '')
    .replace(/-GGUF$/i, '')
