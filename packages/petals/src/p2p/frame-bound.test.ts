import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameBound } from './frame-bound.ts'

const MAX = 1000

function frame(type: number, length: number, data = type === 0 ? length : 0): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt32BE(length, 8)
  return Buffer.concat([header, Buffer.alloc(data, 0xff)])
}

/** What is found in the bytes when they arrive in pieces of these lengths, again and again. */
function foundIn(bytes: Buffer, pieces: readonly number[]): number | undefined {
  const bound = new FrameBound(MAX)
  for (let position = 0, index = 0; position < bytes.length; index++) {
    const end = position + pieces[index % pieces.length]!
    const found = bound.firstBeyond(bytes.subarray(position, end))
    if (found !== undefined) return found
    position = end
  }
  return undefined
}

const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 })
const allowed = fc.oneof(
  fc.integer({ min: 0, max: MAX }).map((length) => frame(0, length)),
  fc
    .tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
    .map(([type, value]) => frame(type, value)),
)

describe('FrameBound', () => {
  it('finds nothing in frames of the allowed length, in whatever pieces', () => {
    fc.assert(
      fc.property(fc.array(allowed, { maxLength: 10 }), lengths, (frames, pieces) => {
        expect(foundIn(Buffer.concat(frames), pieces)).toBeUndefined()
      }),
    )
  })

  it('finds the first frame that is longer, as soon as its header is complete', () => {
    const tooLong = fc.integer({ min: MAX + 1, max: 2 ** 32 - 1 })
    fc.assert(
      fc.property(fc.array(allowed, { maxLength: 5 }), tooLong, lengths, (frames, length, pieces) => {
        expect(foundIn(Buffer.concat([...frames, frame(0, length, 0)]), pieces)).toBe(length)
      }),
    )
  })
})
