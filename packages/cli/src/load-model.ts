import type { ModelRegistry, ModelSpec, ServedModel } from '@petals-chat/engine'
import { ProgressDisplay, type ProgressOptions } from './terminal/progress.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Short enough for a smooth progress bar, in milliseconds. */
const pollIntervalMs = 200

/** Loads a model and shows the progress. @throws EngineError */
export async function loadModel(
  registry: ModelRegistry,
  spec: ModelSpec,
  terminal: Terminal,
  options?: ProgressOptions & { readonly signal?: AbortSignal },
): Promise<ServedModel> {
  const display = new ProgressDisplay(terminal, options)
  const show = async () => {
    const { state, progress } = await registry.state(spec.id)
    if (state === 'loading' && progress !== undefined) display.update(progress)
  }
  const timer = setInterval(() => void show(), pollIntervalMs)
  try {
    return await registry.load(spec.id, { signal: options?.signal })
  } finally {
    clearInterval(timer)
    display.finish()
  }
}
