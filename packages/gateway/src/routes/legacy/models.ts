import type { LegacyModelBody, LegacyModelsBody } from '@petals-chat/api'
import { generationDefaults, isRemoteModel, type ModelSpec, type ServedModel } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { modelsFor } from '../../generation/request/resolve-model.ts'
import { modelState, swarmKind } from '../model-state.ts'

/**
 * `GET /api/v1/models`: the models for a page's menu, with the names of the config file. The original embedded the same
 * data in its page.
 */
export const legacyModelRoutes: RouteModule = ({ registry, swarm }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/api/v1/models', async (c) => {
    const specs = modelsFor(registry, c.var.caller).list()
    const models = await Promise.all(
      specs.map((spec) => describeModel({ registry, swarm }, spec, c.var.signal)),
    )
    return c.json({
      default: specs[0]?.id ?? null,
      families: familiesOf(specs),
      models,
    } satisfies LegacyModelsBody)
  })
}

async function describeModel(
  { registry, swarm }: Pick<GatewayContext, 'registry' | 'swarm'>,
  spec: ModelSpec,
  signal: AbortSignal,
): Promise<LegacyModelBody> {
  const { id, aliases, engine, family, displayName, modelCard, license, publicApi } = spec
  const model = registry.peek(id)
  return {
    id,
    aliases,
    engine,
    swarm: swarmKind(spec, swarm),
    family,
    displayName: displayName ?? id,
    modelCard,
    license,
    publicApi,
    maxSessionLength: spec.maxSessionLength,
    contextLength: model?.contextLength,
    memoryBytes: model?.memoryBytes,
    dialogue: spec.dialogue,
    generation: defaultsOf(spec, model),
    state: await modelState(registry, id, signal),
  }
}

/** Another server samples as it likes where neither the request nor the configuration says how. */
function defaultsOf(spec: ModelSpec, model: ServedModel | undefined): LegacyModelBody['generation'] {
  const defaults = generationDefaults(spec, model)
  if (model === undefined || !isRemoteModel(model)) return defaults
  return { ...spec.generation, max_new_tokens: defaults.max_new_tokens }
}

/** Returns the families in the order of their first model. A model without a family is listed under its own name. */
function familiesOf(specs: readonly ModelSpec[]) {
  const families = Map.groupBy(specs, (spec) => spec.family ?? spec.displayName ?? spec.id)
  return [...families].map(([name, members]) => ({ name, models: members.map(({ id }) => id) }))
}
