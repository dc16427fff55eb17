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
import type { RemovedFiles } from '../layers/derived-files.ts'
import { removeHeadFiles } from '../layers/head/head-file.ts'
import { openLocalLayers, type LocalLayers } from '../layers/local-layers.ts'
import { findLocalTensors } from '../layers/local-tensors.ts'
import { openTokenizer, tokenizerFile } from '../layers/tokenizer.ts'
import { removeVocabularyFiles } from '../layers/vocabulary-file.ts'
import type { OpenFiles } from '../swarm/model-locator.ts'

export interface LocalPartOptions extends LoadOptions {
  /** Threads of the LM head; default: the cores that this process may use, at most 4. */
  readonly config: Pick<SwarmConfig, 'threads'>
  /** Folder for 8-bit copies of LM heads and packed vocabularies, which are kept between starts. */
  readonly cacheFolder: string
  /** Is told if this machine computes slowly. */
  readonly logger?: Logger | undefined
}

export type { RemovedFiles }

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
 * Removes the 8-bit copy of a model's LM head and its packed vocabulary. `openFiles` need only find files on this machine: the
 * location of the originals tells which copies are theirs. Nothing is removed of originals that are not on this machine.
 */
export async function removeLocalPart(
  { source }: Pick<PetalsModelSpec, 'source'>,
  { cacheFolder, openFiles, signal }: RemoveLocalPartOptions,
): Promise<RemovedFiles> {
  const removed = await Promise.all(
    [removeHead, removeVocabulary].map(async (remove) => {
      try {
        return await remove(await openFiles(source, { signal }), cacheFolder, signal)
      } catch (error) {
        if (error instanceof EngineError) return { paths: [], freedBytes: 0 }
        throw error
      }
    }),
  )
  return {
    paths: removed.flatMap(({ paths }) => paths),
    freedBytes: removed.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
  }
}

type Remove = (
  files: ModelFiles,
  cacheFolder: string,
  signal: AbortSignal | undefined,
) => Promise<RemovedFiles>

const removeHead: Remove = async (files, cacheFolder, signal) => {
  const { head } = await findLocalTensors(files, await readArchitecture(files, { signal }), { signal })
  return await removeHeadFiles(
    await files.rangeFile(head.file, head.start, head.end, { signal }),
    cacheFolder,
  )
}

const removeVocabulary: Remove = async (files, cacheFolder, signal) =>
  await removeVocabularyFiles({ path: await files.path(tokenizerFile, { signal }) }, cacheFolder)

export interface RemoveLocalPartOptions extends AbortOptions {
  /** Folder of the 8-bit copies of LM heads, and of packed vocabularies. */
  readonly cacheFolder: string
  /** Opens files on this machine only, without a download. */
  readonly openFiles: OpenFiles
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
  const tokenizerOptions = { ...options, folder: options.cacheFolder }
  await openTokenizer(files, await readArchitecture(files, options), undefined, tokenizerOptions)
  await using _layers = await openLayers(files, options)
}
