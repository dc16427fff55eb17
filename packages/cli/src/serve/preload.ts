import { type ModelRegistry, type ModelSpec, EngineError } from '@petals-chat/engine'
import type { Config } from '../config/schema.ts'
import { loadModel } from '../load-model.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function modelsToPreload({
  preload,
  models,
}: Pick<Config, 'preload'> & { readonly models: readonly ModelSpec[] }) {
  return preload === 'none' ? [] : preload === 'first' ? models.slice(0, 1) : models
}

/**
 * Loads models one after another: two at once would compete for network and memory. A model that fails to load does not
 * stop the others: the registry has logged why, and tries again at its next request.
 */
export async function preloadModels(
  registry: ModelRegistry,
  specs: readonly ModelSpec[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  for (const spec of specs) {
    try {
      await loadModel(registry, spec, terminal, { signal, print: (line) => terminal.out(line) })
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof EngineError)) throw error
    }
  }
}
