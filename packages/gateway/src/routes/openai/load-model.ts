import type { Model, ModelSpec } from '@petals-chat/engine'
import type { HonoRequest } from 'hono'
import type { GatewayContext } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import { isSameOrigin, originOf } from '../../middleware/origin-policy.ts'
import { resolveModel } from '../resolve-model.ts'

type Models = Pick<GatewayContext, 'registry' | 'config'>

/** `model` of a request: it may be left out. */
type Name = string | null | undefined

export interface LoadedModel {
  readonly spec: ModelSpec
  readonly model: Model
}

/** @throws ModelNotFoundError; GatewayError if the model is only for pages of this server, and none of them asks. */
export function checkAccess(context: Models, name: Name, request: HonoRequest): void {
  const spec = resolveModel(context, name)
  if (spec.publicApi || isSameOrigin(originOf((header) => request.header(header)))) return
  throw new GatewayError(
    'model_restricted',
    `The licence of '${spec.id}' does not allow a public API (publicApi: false). Use the chat page of this server instead.`,
  )
}

/** The model that a request means, loaded. @throws ModelNotFoundError, ModelUnavailableError */
export async function loadModel(context: Models, name: Name, signal: AbortSignal): Promise<LoadedModel> {
  const spec = resolveModel(context, name)
  return { spec, model: await context.registry.get(spec.id, { signal }) }
}
