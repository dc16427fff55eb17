import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { partialSuffix } from '../cache/download.ts'
import { listFolder } from '../storage.ts'

/** Returns the paths of unfinished downloads below a folder. */
export async function partialFiles(folder: string): Promise<readonly string[]> {
  const names = await listFolder(folder).catch(() => [])
  return names.filter((name) => name.endsWith(partialSuffix)).map((name) => join(folder, name))
}

/** Returns the names of the blobs of a repository. */
export const blobNames = async (cacheDir: string, repo: string): Promise<readonly string[]> =>
  (await readdir(join(cacheDir, `models--${repo.replace('/', '--')}`, 'blobs')).catch(() => [])).sort()
