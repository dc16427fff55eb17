import { fileURLToPath } from 'node:url'
import { parseModelSource } from '@petals-chat/engine'
import { createModelStore, defaultModel, hubConfigFromEnvironment, hubConfigSchema } from '@petals-chat/hub'

/** What `XDG_CACHE_HOME` is for processes that tests start: model files are fetched once for all of them. */
export const testCacheHome = fileURLToPath(new URL('../../.cache/models', import.meta.url))

/** The default model's GGUF in the checkout's own cache; fetched once (98 MB), by whichever test comes first. */
export async function defaultModelPath(): Promise<string> {
  const config = hubConfigSchema.parse(hubConfigFromEnvironment({ XDG_CACHE_HOME: testCacheHome }))
  const { source, sha256 } = defaultModel
  return createModelStore(config).resolveFile(parseModelSource(source), { sha256 })
}
