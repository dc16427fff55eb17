import { fileURLToPath } from 'node:url'
import { createModelStore, defaultModel, hubConfigFromEnvironment, hubConfigSchema } from '@petals-chat/hub'
/** What `XDG_CACHE_HOME` is for processes that tests start: model files are fetched once for all of them. */
export const testCacheHome = fileURLToPath(new URL('../../.cache/models', import.meta.url))
/** The default model's GGUF in the checkout's own cache; fetched once (98 MB), by whichever test comes first. */
export async function defaultModelPath() {
  const config = hubConfigSchema.parse(hubConfigFromEnvironment({ XDG_CACHE_HOME: testCacheHome }))
  return createModelStore(config).resolveFile(defaultModel.source, { sha256: defaultModel.sha256 })
}
//# sourceMappingURL=model.js.map
