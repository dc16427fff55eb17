import { describe, expect, it } from 'vitest'
import { UnreadChunks } from './unread-chunks.ts'

const bytes = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => first + index)

/** Reads in pieces of these lengths, by views where there are any. */
function read(chunks: UnreadChunks, lengths: readonly number[]): number[] {
  return lengths.flatMap((length) => {
    const view = chunks.takeView(length)
    if (view) return [...view]
    const target = new Uint8Array(length)
    const filled = chunks.drainInto(target)
    return [...target.subarray(0, filled)]
  })
}

describe('unread bytes', () => {
  it.each([
    ['small chunks', [3, 5, 1, 1, 7]],
    ['a large chunk between small ones', [3, 9000, 2]],
    ['chunks that fill a block exactly', [4000, 96, 4000, 97]],
  ])('come out as they came in: %s', (_, lengths) => {
    const total = lengths.reduce((sum, length) => sum + length, 0)
    for (const size of [1, 2, 100, 5000, total]) {
      const chunks = new UnreadChunks()
      const all = lengths.flatMap((length, index) => {
        const chunk = bytes(length, index * 50)
        chunks.append(chunk)
        return [...chunk]
      })
      expect(chunks.byteLength).toBe(total)
      expect(read(chunks, Array<number>(Math.ceil(total / size)).fill(size))).toEqual(all)
      expect(chunks.byteLength).toBe(0)
    }
  })

  it('that are read while others come stay what they were', () => {
    const chunks = new UnreadChunks()
    chunks.append(bytes(10))
    const view = chunks.takeView(10)!
    chunks.append(bytes(10, 100))
    chunks.append(bytes(10, 200))
    expect([...view]).toEqual([...bytes(10)])
    expect(read(chunks, [20])).toEqual([...bytes(10, 100), ...bytes(10, 200)])
  })

  it('do not keep the memory that small ones came in', () => {
    const chunks = new UnreadChunks()
    const frame = new Uint8Array(65_536)
    for (let index = 0; index < 1000; index++) chunks.append(frame.subarray(index, index + 1))
    chunks.append(frame.subarray(0, 5000))
    const memory = new Set<ArrayBufferLike>()
    while (chunks.byteLength > 0) memory.add(chunks.takeView(1)!.buffer)
    expect([...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(4096 + 5000)
  })
})
