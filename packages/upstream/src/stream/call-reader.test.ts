import { describe, expect, it } from 'vitest'
import { CallReader } from './call-reader.ts'

describe('CallReader', () => {
  it('gives each call an id of its own, also if the server repeats one', () => {
    const reader = new CallReader()
    const parts = [0, 1, 2].flatMap((index) =>
      reader.read({ index, id: 'a', function: { name: 'add', arguments: '{}' } }),
    )
    const ids = parts.flatMap((part) => (part.type === 'tool-call' ? [part.id] : []))
    expect(ids[0]).toBe('a')
    expect(new Set(ids).size).toBe(3)
  })
})
