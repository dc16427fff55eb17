import { createRequire } from 'node:module'
import type { TracingConfig } from './tracing-config.ts'
import type { Tracing } from './tracing.ts'

/**
 * Loads OpenTelemetry, which takes 28 MB on the disk and is therefore installed only where it is used.
 * @throws Error that says what to install
 */
export async function loadTracing(config: TracingConfig, version: string): Promise<Tracing> {
  const { otlpTracing } = await import('./otlp-tracing.ts').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new Error(`server.tracing needs OpenTelemetry. Install it: ${installCommand()}`, { cause })
  })
  return otlpTracing(config, version)
}

/** Names the versions, since npm would take newer ones, which do not go together. */
function installCommand(): string {
  const { peerDependencies } = createRequire(import.meta.url)('../../package.json') as {
    readonly peerDependencies: Readonly<Record<string, string>>
  }
  const packages = Object.entries(peerDependencies).map(
    ([name, range]) => `${name}@${range.replace('^', '')}`,
  )
  return `npm install ${packages.join(' ')}`
}
