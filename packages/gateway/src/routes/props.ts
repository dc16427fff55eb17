import type { PropsBody } from '@petals-chat/api'
import { isRemoteModel, type ModelSpec, type ServedModel } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayContext, GatewayVariables, RouteModule } from '../context.ts'
import { findModel, modelsFor } from '../generation/request/resolve-model.ts'
import { boundaryTexts, contextLengthOf } from './listed-model.ts'
import { usualSampling } from './usual-sampling.ts'

/** `GET /props`: what llama-server tells of itself and its model. Loads nothing. */
export const propsRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().get('/props', (c) => {
    const registry = modelsFor(context.registry, c.var.caller)
    // An empty name is none, as in every other request.
    const name = c.req.query('model') || (registry.list()[0]?.id ?? 'default')
    const spec = findModel({ registry }, name)
    return c.json(describe(context, spec, context.registry.peek(spec.id)))
  })

function describe(
  { config, version }: Pick<GatewayContext, 'config' | 'version'>,
  spec: ModelSpec,
  model: ServedModel | undefined,
): PropsBody {
  const { max_new_tokens: n_predict, ...sampling } = usualSampling(spec, model)
  const own = model === undefined || isRemoteModel(model) ? undefined : model
  const { bos, eos } = own ? boundaryTexts(own) : {}
  return {
    model_alias: spec.id,
    default_generation_settings: {
      n_ctx: model && contextLengthOf(spec, model),
      params: { ...sampling, n_predict },
    },
    total_slots: Math.min(own?.maxSessions ?? Infinity, config.sessions.maxPerModel),
    chat_template: own?.chatTemplate.source,
    bos_token: bos,
    eos_token: eos,
    modalities: { vision: false, audio: false },
    build_info: `petals-chat ${version}`,
  }
}
