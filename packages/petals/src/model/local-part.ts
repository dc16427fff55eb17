import {
  EngineError,
  type AbortOptions,
  type LoadOptions,
  type Logger,
  type ModelFiles,
} from '@petals-chat/engine'
import { availableParallelism } from 'node:os'
import type { PetalsModelSpec, SwarmConfig } from '../config.ts'
import { readArchitecture } from '../layers/architecture.ts'
import { removeHeadFiles } from '../layers/head/head-file.ts'
import { openLocalLayers, type LocalLayers } from '../layers/local-layers.ts'
import { findLocalTensors } from '../layers/local-tensors.ts'
import { openTokenizer } from '../layers/tokenizer.ts'
import type { OpenFiles } from '../swarm/model-locator.ts'

export interface LocalPartOptions extends LoadOptions {
  /** Threads of the LM head; default: the cores that this process may use, at most 4. */
  readonly config: Pick<SwarmConfig, 'threads'>
  /** Folder for the 8-bit copies of LM heads, which are kept between starts. */
  readonly cacheFolder: string
  /** Is told if this machine computes slowly. */
  readonly logger?: Logger | undefined
}

/** More threads do not make the LM head faster: memory bandwidth limits it. */
const maxUsefulThreads = 4

/** Opens the layers that run in this process. @throws ModelUnavailableError */
export async function openLayers(
  files: ModelFiles,
  { cacheFolder: folder, config, logger, signal, onProgress }: LocalPartOptions,
): Promise<LocalLayers> {
  const threads = config.threads ?? Math.min(availableParallelism(), maxUsefulThreads)
  return await openLocalLayers(files, { folder, threads, logger, signal, onProgress })
}

/**
 * Removes the 8-bit copy of a model's LM head. `openFiles` need only find files on this machine: the location of the
 * weights tells which copy is theirs. Removes nothing if the weights are not on this machine.
 */
export async function removeLocalPart(
  { source }: Pick<PetalsModelSpec, 'source'>,
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
  /** Folder of the 8-bit copies of LM heads. */
  readonly cacheFolder: string
  /** Opens files on this machine only, without a download. */
  readonly openFiles: OpenFiles
}

/** Files that were removed. */
export interface RemovedFiles {
  readonly paths: readonly string[]
  readonly freedBytes: number
}

/**
 * Brings the local part of a model to this machine, without joining a swarm. The next load needs no network for it.
 * @throws ModelUnavailableError
 */
export async function prepareLocalPart(
  { source }: Pick<PetalsModelSpec, 'source'>,
  options: LocalPartOptions & { readonly openFiles: OpenFiles },
): Promise<void> {
  const files = await options.openFiles(source, options)
  await openTokenizer(files, await readArchitecture(files, options), undefined, options)
  await using _layers = await openLayers(files, options)
}
