import {
  abortable,
  type ModelRegistry,
  type ModelSpec,
  type ModelState,
  type SwarmView,
} from '@petals-chat/engine'
import { withoutFolders } from '../without-folders.ts'

/** Engines answer from memory; an engine that does not must not delay the list of all models. */
const STATE_TIMEOUT_MS = 1_000

/**
 * Returns the state of a model for clients, or `unavailable` if its engine does not report one in time. Loads nothing.
 * @throws the signal's reason.
 */
export async function modelState(
  registry: ModelRegistry,
  id: string,
  signal: AbortSignal,
): Promise<ModelState> {
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(STATE_TIMEOUT_MS)])
  try {
    return forClients(await abortable(registry.state(id, { signal: timeout }), timeout))
  } catch {
    signal.throwIfAborted()
    return {
      state: 'unavailable',
      detail: `The engine of '${id}' did not report the model's state. Try again.`,
    }
  }
}

const forClients = ({ state, detail, progress }: ModelState): ModelState => ({
  state,
  detail: detail && withoutFolders(detail),
  progress: progress && { ...progress, label: withoutFolders(progress.label) },
})

/** Returns which swarm computes a model's answers: the public one, a private one, or (undefined) none. */
export function swarmKind(
  { engine }: Pick<ModelSpec, 'engine'>,
  swarm: Pick<SwarmView, 'isPublic'> | undefined,
): 'public' | 'private' | undefined {
  if (engine !== 'petals') return undefined
  return swarm?.isPublic === true ? 'public' : 'private'
}
