import { Hono } from 'hono'
import type { GatewayApp, GatewayVariables } from '../context.ts'
import type { PrometheusMetrics } from '../metrics.ts'

/** `/metrics` in Prometheus' text format. */
export function metricsRoutes(metrics: PrometheusMetrics): GatewayApp {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/metrics', async (c) => {
    const { contentType, body } = await metrics.render()
    return c.body(body, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
}
