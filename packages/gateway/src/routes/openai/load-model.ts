import { type Model, ModelNotFoundError, type ModelSpec } from '@petals-chat/engine'
import type { HonoRequest } from 'hono'
import type { GatewayContext } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import { isSameOrigin, originOf } from '../../middleware/origin-policy.ts'

type Models = Pick<GatewayContext, 'registry'>

/** A stranger chooses the name: the answer need not repeat all of it. */
const MAX_SHOWN_NAME = 200

export interface LoadedModel {
  readonly spec: ModelSpec
  readonly model: Model
}

/** @throws ModelNotFoundError; GatewayError if the model is only for pages of this server, and none of them asks. */
export function checkAccess(context: Models, name: string, request: HonoRequest): void {
  const spec = findModel(context, name)
  if (spec.publicApi || isSameOrigin(originOf((header) => request.header(header)))) return
  throw new GatewayError(
    'model_restricted',
    `The licence of '${spec.id}' does not allow a public API (publicApi: false). Use the chat page of this server instead.`,
  )
}

/** The model that a request names, loaded. @throws ModelNotFoundError, ModelUnavailableError */
export async function loadModel(context: Models, name: string, signal: AbortSignal): Promise<LoadedModel> {
  const spec = findModel(context, name)
  return { spec, model: await context.registry.get(spec.id, { signal }) }
}

/** @throws ModelNotFoundError */
export function findModel({ registry }: Models, name: string): ModelSpec {
  const spec = registry.find(name)
  if (spec) return spec
  throw new ModelNotFoundError(
    name.slice(0, MAX_SHOWN_NAME),
    registry.list().map(({ id }) => id),
  )
}
