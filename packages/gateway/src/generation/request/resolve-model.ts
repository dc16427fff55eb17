import { ModelNotFoundError, type ModelRegistry, type ModelSpec } from '@petals-chat/engine'
import type { Context } from 'hono'
import { type Caller, mayUseModel } from '../../access/caller.ts'
import type { GatewayConfig } from '../../config.ts'
import type { GatewayVariables } from '../../context.ts'
import { GatewayError } from '../../errors.ts'
import type { Quota } from '../../limits/quota.ts'
import { isPageRequest } from '../../middleware/page-request.ts'

export interface ModelNames {
  readonly registry: Pick<ModelRegistry, 'list' | 'find'>
  readonly config: Pick<GatewayConfig, 'unknownModel'>
}

/** The properties of a request that decide which models it may use. */
export interface ModelCaller {
  readonly caller: Pick<Caller, 'models'>
  readonly quota: Pick<Quota, 'limits'>
  /** A page of this server asks. */
  readonly isSameOrigin: boolean
}

/** The models that a caller may see: for others, they do not exist. */
export const modelsFor = (
  registry: Pick<ModelRegistry, 'list' | 'find'>,
  caller: Pick<Caller, 'models'>,
): Pick<ModelRegistry, 'list' | 'find'> => ({
  list: () => registry.list().filter(({ id }) => mayUseModel(caller, id)),
  find: (name) => {
    const spec = registry.find(name)
    return spec !== undefined && mayUseModel(caller, spec.id) ? spec : undefined
  },
})

/** Client-controlled: truncate the name before echoing it. */
const MAX_SHOWN_NAME = 200

/**
 * The model that a request names, if its caller may use it, with the context that its caller may use. Every route that runs a model asks here.
 * @throws ModelNotFoundError; GatewayError `model_restricted` if the model is only for pages of this server and another
 * client asks.
 */
export function resolveModel(
  { registry, config }: ModelNames,
  name: string | null | undefined,
  caller: ModelCaller,
): ModelSpec {
  return permitted(namedModel({ config, registry: modelsFor(registry, caller.caller) }, name), caller)
}

/**
 * The model of exactly this name, as `resolveModel` returns it: for names that the configuration gives, of which none is a
 * placeholder. @throws as `resolveModel`
 */
export const resolveExactModel = (
  { registry }: Pick<ModelNames, 'registry'>,
  name: string,
  caller: ModelCaller,
): ModelSpec => permitted(findModel({ registry: modelsFor(registry, caller.caller) }, name), caller)

function permitted(spec: ModelSpec, { isSameOrigin, quota }: ModelCaller): ModelSpec {
  if (spec.publicApi || isSameOrigin) return withinQuota(spec, quota)
  throw new GatewayError(
    'model_restricted',
    `The licence of '${spec.id}' does not allow a public API (publicApi: false). Use the chat page of this server instead.`,
  )
}

/** The caller that sent an HTTP request. */
export const callerOf = (c: Context<{ Variables: GatewayVariables }>): ModelCaller => ({
  isSameOrigin: isPageRequest((name) => c.req.header(name), c.get('caller')),
  caller: c.get('caller'),
  quota: c.get('quota'),
})

/** A caller's longest context bounds that of the model's entry. */
const withinQuota = (spec: ModelSpec, { limits: { maxContext } }: Pick<Quota, 'limits'>): ModelSpec =>
  maxContext === undefined
    ? spec
    : { ...spec, maxSessionLength: Math.min(maxContext, spec.maxSessionLength ?? Infinity) }

/**
 * Without a name the first model. Clients that insist on a name send a placeholder (`gpt-3.5-turbo`, `dummy`, the
 * server's address): `server.unknownModel` decides which model a placeholder gets.
 */
function namedModel({ registry, config }: ModelNames, name: string | null | undefined): ModelSpec {
  const spec = name ? registry.find(name) : undefined
  if (spec !== undefined) return spec
  const [first, ...others] = registry.list()
  if (!name) return first ?? findModel({ registry }, 'default')
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
