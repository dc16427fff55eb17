import type { ModelSource } from '@petals-chat/engine'
import { ModelSourceError, type ModelStore } from '@petals-chat/hub'
import type { ModelEntry } from '../config/schema.ts'

/** Returns the source of the draft model of a swarm model, if it has one. */
export const draftOf = (spec: ModelEntry): ModelSource | undefined =>
  spec.engine === 'petals' ? spec.speculation?.draft : undefined

/** Returns the ids of the models that need a downloaded file of `source`, as their own or as that of their draft model. */
export async function usersOf(
  source: ModelSource,
  models: readonly ModelEntry[],
  store: Pick<ModelStore, 'info'>,
): Promise<readonly string[]> {
  const paths = new Set(await downloadedPaths(source, store))
  const users: string[] = []
  for (const model of models) {
    if (model.engine === 'upstream') continue
    const draft = draftOf(model)
    const needed = [model.source, ...(draft ? [draft] : [])]
    const theirs = await Promise.all(needed.map((each) => downloadedPaths(each, store)))
    if (theirs.flat().some((path) => paths.has(path))) users.push(model.id)
  }
  return users
}

/** What was deleted. */
export type Removed = Awaited<ReturnType<ModelStore['remove']>>

export const nothing: Removed = { paths: [], freedBytes: 0 }

/** Deletes what is downloaded of a source, which may be nothing. @throws Error if it can't be deleted */
export async function removeIfThere(
  source: ModelSource,
  store: Pick<ModelStore, 'remove'>,
): Promise<Removed> {
  try {
    return await store.remove(source)
  } catch (error) {
    if (error instanceof ModelSourceError && error.failure === 'not-found') return nothing
    throw error
  }
}

async function downloadedPaths(
  source: ModelSource,
  store: Pick<ModelStore, 'info'>,
): Promise<readonly string[]> {
  const alternatives = await store.info(source).catch(() => [])
  return alternatives.flatMap(({ files }) => files.flatMap(({ path }) => path ?? []))
}
