import type { HealthBody } from '@petals-chat/api'
import { ModelUnavailableError, type ModelRegistry } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'
import type { Shutdown } from '../shutdown.ts'
import { ShuttingDownError } from '../errors.ts'
import { errorResponse } from '../middleware/error-handler.ts'
import { readinessPaths } from '../middleware/request-log.ts'
import { modelState } from './model-state.ts'

/**
 * `/healthz` reports whether the process is alive; `/ready`, `/readyz` and `/health` whether it is ready for requests. It is
 * not ready while it shuts down, and while the default model is loading or can't be loaded. While the model's process hangs or
 * is being replaced it is ready, because requests wait for that, but `degraded`.
 */
export const healthRoutes: RouteModule = ({ registry, shutdown, version }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  app.get('/healthz', (c) => c.json({ status: 'ok', version } satisfies HealthBody))
  for (const path of readinessPaths) {
    app.get(path, async (c) => {
      const readiness = await readReadiness(registry, shutdown, c.var.signal)
      if (!(readiness instanceof Error)) return c.json({ ...readiness, version } satisfies HealthBody)
      // Checks repeat while a model loads, so this is no warning.
      c.var.logger.debug({ path, reason: readiness.message }, 'not ready')
      return errorResponse(readiness, c)
    })
  }
  return app
}

/** Returns the body of the answer without the version, or why the server is not ready. */
async function readReadiness(
  registry: ModelRegistry,
  shutdown: Shutdown,
  signal: AbortSignal,
): Promise<Omit<HealthBody, 'version'> | Error> {
  if (shutdown.announced) return new ShuttingDownError()
  const [spec] = registry.list()
  if (spec === undefined) return { status: 'ok' }
  const { state, progress, detail } = await modelState(registry, spec.id, signal)
  if (state === 'unavailable')
    return new ModelUnavailableError(detail ?? `The model '${spec.id}' is not available.`)
  if (state === 'degraded') return { status: 'degraded', detail }
  if (state !== 'loading') return { status: 'ok' }
  const share = progress?.total
    ? ` (${progress.label}, ${Math.floor((100 * progress.done) / progress.total)} %)`
    : ''
  return new ModelUnavailableError(`The model '${spec.id}' is being loaded${share}.`)
}
