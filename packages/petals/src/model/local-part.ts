import {
  EngineError,
  type AbortOptions,
  type LoadOptions,
  type ModelFiles,
  type ModelSpec,
} from '@petals-chat/engine'
import { availableParallelism } from 'node:os'
import type { SwarmConfig } from '../config.ts'
import { readArchitecture } from '../layers/architecture.ts'
import { removeHeadFiles } from '../layers/head/head-file.ts'
import { openLocalLayers, type LocalLayers } from '../layers/local-layers.ts'
import { findLocalTensors } from '../layers/local-tensors.ts'
import { openTokenizer } from '../layers/tokenizer.ts'
import type { OpenFiles } from '../swarm/model-locator.ts'

export interface LocalPartOptions extends LoadOptions {
  readonly config: Pick<SwarmConfig, 'threads'>
  /** Where 8-bit copies of LM heads are kept between starts. */
  readonly cacheFolder: string
}

/** More threads than this do not make the LM head faster: it is bound by the memory. */
const maxUsefulThreads = 4

/** @throws ModelUnavailableError */
export async function openLayers(
  files: ModelFiles,
  { cacheFolder: folder, config, signal, onProgress }: LocalPartOptions,
): Promise<LocalLayers> {
  const threads = config.threads ?? Math.min(availableParallelism(), maxUsefulThreads)
  return await openLocalLayers(files, { folder, threads, signal, onProgress })
}

/**
 * Removes the 8-bit head that was made of a model. `openFiles` has to give no more than what is on this machine: where the
 * weights are tells which head is theirs. Gives nothing where they are not here.
 */
export async function removeLocalPart(
  { source }: Pick<ModelSpec, 'source'>,
  { cacheFolder, openFiles, signal }: RemoveLocalPartOptions,
): Promise<RemovedFiles> {
  try {
    const files = await openFiles(source, { signal })
    const { head } = await findLocalTensors(files, await readArchitecture(files, { signal }), { signal })
    return await removeHeadFiles(
      await files.rangeFile(head.file, head.start, head.end, { signal }),
      cacheFolder,
    )
  } catch (error) {
    if (error instanceof EngineError) return { paths: [], freedBytes: 0 }
    throw error
  }
}

export interface RemoveLocalPartOptions extends AbortOptions {
  readonly cacheFolder: string
  readonly openFiles: OpenFiles
}

/** Paths that are gone. */
export interface RemovedFiles {
  readonly paths: readonly string[]
  readonly freedBytes: number
}

/**
 * Brings all that runs here of a model to this machine, without joining a swarm: the next load needs no network for it.
 * @throws ModelUnavailableError
 */
export async function prepareLocalPart(
  { source }: Pick<ModelSpec, 'source'>,
  options: LocalPartOptions & { readonly openFiles: OpenFiles },
): Promise<void> {
  const files = await options.openFiles(source, options)
  await openTokenizer(files, await readArchitecture(files, options), undefined, options)
  await using _layers = await openLayers(files, options)
}
