import { ContextLengthError, type Model, ModelNotFoundError, type ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import { GatewayError } from '../../errors.ts'

/** A stranger chooses the name: the answer need not repeat all of it. */
const MAX_SHOWN_NAME = 200

/** The model that a client names; without a name the first one, as on the original in its early days. */
export function findModel({ registry }: GatewayContext, name: string | undefined): ModelSpec {
  const specs = registry.list()
  const spec = name === undefined ? specs[0] : registry.find(name)
  if (spec !== undefined) return spec
  throw new ModelNotFoundError(
    name?.slice(0, MAX_SHOWN_NAME) ?? 'default',
    specs.map(({ id }) => id),
  )
}

/** The original's own words. */
export function restrictedModelError({ id }: ModelSpec): GatewayError {
  return new GatewayError(
    'model_restricted',
    `We do not provide public API for ${id} due to license restrictions. Use the chat page of this server instead.`,
  )
}

/** @throws ContextLengthError if a session of `maxLength` tokens is more than the config or the model allows. */
export function checkSessionLength(maxLength: number, spec: ModelSpec, model: Model): void {
  const allowed = Math.min(spec.maxSessionLength ?? Infinity, model.contextLength)
  if (maxLength > allowed) throw new ContextLengthError(maxLength, allowed)
}
