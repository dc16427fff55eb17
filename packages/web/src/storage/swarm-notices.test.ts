import { describe, expect, it } from 'vitest'
import { createSwarmNotices } from './swarm-notices.ts'

function memoryStorage(content: Record<string, string> = {}) {
  const values = new Map(Object.entries(content))
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  } as unknown as Storage
}

describe('confirmed notices about swarms', () => {
  it('are kept by model, through a reload', () => {
    const storage = memoryStorage()
    const notices = createSwarmNotices(storage, undefined)
    expect(notices.get()).toEqual([])
    notices.set(['llama-2'])
    expect(createSwarmNotices(storage, undefined).get()).toEqual(['llama-2'])
  })

  it.each(['{', 'null', '{}', '[1, "a", null]'])('survive invalid stored values: %s', (text) => {
    const read = createSwarmNotices(memoryStorage({ 'petals-chat.swarm-notices': text }), undefined).get()
    expect(read).toEqual(text.includes('a') ? ['a'] : [])
  })
})
