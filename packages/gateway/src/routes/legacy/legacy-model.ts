import { ContextLengthError, type Model, type ModelSpec } from '@petals-chat/engine'

/** Tokens that a session may have, by the config and the model. */
export const allowedLength = (spec: ModelSpec, model: Model): number =>
  Math.min(spec.maxSessionLength ?? Infinity, model.contextLength)

/** @throws ContextLengthError if a session of `maxLength` tokens is more than the config or the model allows. */
export function checkSessionLength(maxLength: number, spec: ModelSpec, model: Model): void {
  const allowed = allowedLength(spec, model)
  if (maxLength > allowed) throw new ContextLengthError(maxLength, allowed)
}
