import { abortable, type ModelRegistry, type ModelState } from '@petals-chat/engine'
import { withoutFolders } from '../without-folders.ts'

/** Engines answer from memory; one that does not must not hold up the list of all models. */
const STATE_TIMEOUT_MS = 1_000

/** How a model is, or that its engine does not say so. Loads nothing. @throws the signal's reason. */
export async function modelState(
  registry: ModelRegistry,
  id: string,
  signal: AbortSignal,
): Promise<ModelState> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(STATE_TIMEOUT_MS)])
  try {
    return forClients(await abortable(registry.state(id, { signal: patience }), patience))
  } catch {
    signal.throwIfAborted()
    return { state: 'unavailable', detail: `The engine of '${id}' does not say how the model is. Try again.` }
  }
}

const forClients = ({ state, detail, progress }: ModelState): ModelState => ({
  state,
  detail: detail && withoutFolders(detail),
  progress: progress && { ...progress, label: withoutFolders(progress.label) },
})
