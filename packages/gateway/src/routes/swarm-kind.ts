import type { ModelSpec, SwarmView } from '@petals-chat/engine'

/** Whose computers a model's answers go through: those of the public swarm, of a private one, or (undefined) only this one. */
export function swarmKind(
  { engine }: Pick<ModelSpec, 'engine'>,
  swarm: Pick<SwarmView, 'isPublic'> | undefined,
): 'public' | 'private' | undefined {
  if (engine !== 'petals') return undefined
  return swarm?.isPublic === true ? 'public' : 'private'
}
