import type { ModelObject } from '@petals-chat/api'
import { Hono } from 'hono'
import type { ModelSpec, ModelState, ServedModel } from '@petals-chat/engine'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { modelState, swarmKind } from '../model-state.ts'
import { findModel, modelsFor } from '../../generation/request/resolve-model.ts'

/** `GET /v1/models` and `GET /v1/models/{id}`; a `/` in an id may be written as it is or as `%2F`. */
export const modelRoutes: RouteModule = (context) => {
  const created = Math.floor(Date.now() / 1000)
  const describe = (spec: ModelSpec, signal: AbortSignal) => describeModel(context, spec, created, signal)

  return new Hono<{ Variables: GatewayVariables }>()
    .get('/v1/models', async (c) => {
      const data = await Promise.all(
        modelsFor(context.registry, c.var.caller)
          .list()
          .map((spec) => describe(spec, c.var.signal)),
      )
      return c.json({ object: 'list', data } as const)
    })
    .get('/v1/models/:id{.+}', async (c) =>
      c.json(
        await describe(
          findModel({ registry: modelsFor(context.registry, c.var.caller) }, c.req.param('id')),
          c.var.signal,
        ),
      ),
    )
}

async function describeModel(
  { registry, swarm }: Pick<GatewayContext, 'registry' | 'swarm'>,
  spec: ModelSpec,
  created: number,
  signal: AbortSignal,
): Promise<ModelObject> {
  const { state, detail, progress } = await modelState(registry, spec.id, signal)
  return {
    id: spec.id,
    object: 'model',
    created,
    owned_by: 'petals-chat',
    root: spec.id,
    parent: null,
    permission: [],
    type: 'base',
    name: spec.displayName ?? spec.id,
    description: null,
    deprecation: null,
    aliases: [...spec.aliases],
    engine: spec.engine,
    swarm: swarmKind(spec, swarm),
    state,
    state_detail: detail,
    progress: progress && toProgress(progress),
    ...loadedFields(registry.peek(spec.id), spec),
    public_api: spec.publicApi,
    family: spec.family,
    display_name: spec.displayName,
    model_card: spec.modelCard,
    license: spec.license,
  }
}

const toProgress = ({ phase, label, done, total, unit }: NonNullable<ModelState['progress']>) => ({
  phase,
  label,
  done,
  total,
  unit,
})

/** The capabilities that every model of this server has or lacks. */
const usualCapabilities = {
  completion_chat: true,
  completion_fim: false,
  function_calling: true,
  fine_tuning: false,
  vision: false,
  classification: false,
} as const

/** The fields that are known only for a loaded model, and the capabilities of all models. */
function loadedFields(
  model: ServedModel | undefined,
  spec: ModelSpec,
): Pick<ModelObject, 'context_length' | 'max_model_len' | 'max_context_length' | 'capabilities'> {
  if (model === undefined) return { capabilities: usualCapabilities }
  const { grammar, logprobs, promptLogprobs, embeddings } = model.capabilities
  const known = Math.min(model.contextLength ?? Infinity, spec.maxSessionLength ?? Infinity)
  const length = known === Infinity ? undefined : known
  return {
    context_length: length,
    max_model_len: length,
    max_context_length: length,
    capabilities: { ...usualCapabilities, grammar, logprobs, prompt_logprobs: promptLogprobs, embeddings },
  }
}
