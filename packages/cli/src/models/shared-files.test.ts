import { parseModelSource } from '@petals-chat/engine'
import { ModelSourceError } from '@petals-chat/hub'
import { describe, expect, it } from 'vitest'
import { removeIfThere } from './shared-files.ts'

const source = parseModelSource('hf:owner/small/draft.gguf')
const failing = (error: Error) => ({ remove: () => Promise.reject(error) })

describe('removeIfThere', () => {
  it('has nothing to delete of what was not downloaded', async () => {
    const store = failing(new ModelSourceError('not-found', 'Nothing is in the cache.'))
    expect(await removeIfThere(source, store)).toEqual({ paths: [], freedBytes: 0 })
  })

  it('tells of files that stay because they can not be deleted', async () => {
    await expect(removeIfThere(source, failing(new Error('permission denied')))).rejects.toThrow(
      'permission denied',
    )
  })
})
