import { ModelNotFoundError, type ModelRegistry, type ModelSpec } from '@petals-chat/engine'
import type { GatewayConfig } from '../config.ts'

export interface ModelNames {
  readonly registry: Pick<ModelRegistry, 'list' | 'find'>
  readonly config: Pick<GatewayConfig, 'unknownModel'>
}

/** A stranger chooses the name: the answer need not repeat all of it. */
const MAX_SHOWN_NAME = 200

/**
 * The model that a request means. Without a name the first one. Clients that insist on a name send a placeholder
 * (`gpt-3.5-turbo`, `dummy`, the server's address): what that gets is up to `server.unknownModel`.
 * @throws ModelNotFoundError
 */
export function resolveModel({ registry, config }: ModelNames, name: string | null | undefined): ModelSpec {
  const [first, ...others] = registry.list()
  if (!name) return first ?? findModel({ registry }, 'default')
  const spec = registry.find(name)
  if (spec !== undefined) return spec
  const takesFirst =
    config.unknownModel === 'default' || (config.unknownModel === 'auto' && others.length === 0)
  return takesFirst && first !== undefined ? first : findModel({ registry }, name)
}

/** The model of exactly this name. @throws ModelNotFoundError */
export function findModel({ registry }: Pick<ModelNames, 'registry'>, name: string): ModelSpec {
  const spec = registry.find(name)
  if (spec) return spec
  throw new ModelNotFoundError(
    name.slice(0, MAX_SHOWN_NAME),
    registry.list().map(({ id }) => id),
  )
}
