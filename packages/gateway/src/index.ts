/**
 * The HTTP and WebSocket server in front of a registry of models: OpenAI's API, the original chat application's APIs,
 * health, metrics and the chat page.
 *
 * ```ts
 * const metrics = createPrometheusMetrics()
 * const config = gatewayConfigSchema.parse({ port: 0 })
 * await using gateway = createGateway(config, { registry, logger, metrics, version: '1.0.0' })
 * const { url } = await gateway.listen()
 * ```
 *
 * @packageDocumentation
 */
export type { CallerRequest, CallerSource } from './access/access.ts'
export type { Caller } from './access/caller.ts'
export { type GatewayConfig, gatewayConfigSchema } from './config.ts'
export type {
  AcquireRequest,
  GatewayApp,
  GatewayContext,
  GatewayVariables,
  RouteModule,
  SessionLease,
  SessionPool,
} from './context.ts'
export { AccessRevokedError, AuthenticationError } from './errors.ts'
export { createGateway, type Gateway, type GatewayDependencies } from './gateway.ts'
export { createPrometheusMetrics, type PrometheusMetrics, type RenderedMetrics } from './metrics.ts'
export { ListenError } from './listen-error.ts'
export type { Shutdown } from './shutdown.ts'
export { loadTracing } from './tracing/load-tracing.ts'
export type { TracingConfig } from './tracing/tracing-config.ts'
export type {
  RequestTrace,
  TracedRequest,
  TracedWork,
  Tracing,
  WorkResult,
  WorkTrace,
} from './tracing/tracing.ts'
