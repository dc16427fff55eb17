import type { CachedModel } from '../model-store.types.ts'
import { cachedNames, scanRepository } from './cache-scan.ts'
import { RepositoryCache } from './repository-cache.ts'

/** Lists the repositories of the Hub that have content in the cache. */
export async function listRepositories(cacheDir: string): Promise<readonly CachedModel[]> {
  const names = await cachedNames(cacheDir, 'models')
  const models = names.map(async (name): Promise<CachedModel> => {
    const cache = new RepositoryCache(cacheDir, name)
    const source = `hf:${name.slice('models--'.length).replace('--', '/')}`
    return { source, type: 'hub', folder: cache.folder, ...(await scanRepository(cache)) }
  })
  return (await Promise.all(models)).filter((model) => model.sizeBytes > 0 || model.partialBytes > 0)
}

/** Lists the files from wheels, one entry for each, because a source names one file. */
export async function listWheels(wheelCacheDir: string): Promise<readonly CachedModel[]> {
  const names = await cachedNames(wheelCacheDir, 'wheels')
  const wheels = names.map(async (name): Promise<readonly CachedModel[]> => {
    const cache = new RepositoryCache(wheelCacheDir, name)
    const { files, ...scan } = await scanRepository(cache)
    return files.map((file) => ({
      ...scan,
      source: `wheel:${name.slice('wheels--'.length)}==${file.revision}/${file.name}`,
      type: 'wheel',
      folder: cache.folder,
      files: [file],
      sizeBytes: file.sizeBytes,
    }))
  })
  return (await Promise.all(wheels)).flat()
}
