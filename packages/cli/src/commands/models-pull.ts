import type { FileOptions } from '@petals-chat/engine'
import type { LlamaModelSpec } from '@petals-chat/llama/config'
import type { PetalsModelSpec } from '@petals-chat/petals/config'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import { withSwarmPaths } from '../config/swarm-paths.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { findModel } from '../models/named-model.ts'
import { createStore } from '../runtime.ts'
import { ProgressDisplay } from '../terminal/progress.ts'

/**
 * Downloads a model's file and prints its path; of a swarm model, downloads the parts that run on this machine. What is
 * already here is not downloaded again.
 */
export async function pullModel(context: CommandContext, [name = '']: readonly string[]): Promise<void> {
  const { terminal } = context
  const loaded = await loadConfig(context)
  const model = findModel(loaded, name, context.workingDirectory)
  const stopping = new AbortController()
  process.once('SIGINT', () =>
    stopping.abort(new CommandError('Interrupted. The downloaded part is kept.', exitCodes.interrupted)),
  )
  const display = new ProgressDisplay(terminal)
  const options: FileOptions = {
    signal: stopping.signal,
    onProgress: (progress) => display.update(progress),
  }
  try {
    const file = await (model.engine === 'petals'
      ? pullLocalPart(model, loaded, options)
      : pullFile(model, loaded, options))
    display.finish()
    if (file === undefined) terminal.note(`All local parts of ${model.id} are on this machine.`)
    else terminal.out(file)
  } finally {
    display.finish()
  }
}

const pullFile = ({ source, sha256 }: LlamaModelSpec, loaded: LoadedConfig, options: FileOptions) =>
  createStore(loaded).resolveFile(source, { ...options, sha256, refresh: true })

/** Downloads tokenizer, embeddings and LM head, and the draft model; the blocks stay on the servers. */
async function pullLocalPart(
  model: PetalsModelSpec,
  loaded: LoadedConfig,
  options: FileOptions,
): Promise<void> {
  const { prepareLocalPart } = await import('@petals-chat/petals')
  const config = withSwarmPaths(loaded.config.swarm, loaded.baseFolder)
  const store = createStore(loaded)
  await prepareLocalPart(model, {
    ...options,
    config,
    cacheFolder: config.cacheDir,
    openFiles: (source, open) => store.openFiles(source, { ...open, refresh: true }),
  })
  const draft = model.speculation?.draft
  if (draft) await store.resolveFile(draft, { ...options, refresh: true })
}
