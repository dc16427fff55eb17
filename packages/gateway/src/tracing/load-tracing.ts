import type { TracingConfig } from './tracing-config.ts'
import type { Tracing } from './tracing.ts'

const PACKAGES =
  '@opentelemetry/api @opentelemetry/sdk-trace-base @opentelemetry/resources @opentelemetry/exporter-trace-otlp-http'

/**
 * Loads OpenTelemetry, which takes 28 MB on the disk and is therefore installed only where it is used.
 * @throws Error that says what to install
 */
export async function loadTracing(config: TracingConfig, version: string): Promise<Tracing> {
  const { otlpTracing } = await import('./otlp-tracing.ts').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new Error(`server.tracing needs OpenTelemetry. Install it: npm install ${PACKAGES}`, { cause })
  })
  return otlpTracing(config, version)
}
