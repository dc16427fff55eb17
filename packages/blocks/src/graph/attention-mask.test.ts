import { describe, expect, it } from 'vitest'
import { fillMask } from './attention-mask.ts'
import { toHalf } from './half.ts'

const lines = (mask: Uint16Array, length: number): string[] =>
  Array.from({ length: mask.length / length }, (_, line) =>
    [...mask.subarray(line * length, (line + 1) * length)]
      .map((bits) => (bits === 0xfc00 ? '.' : 'x'))
      .join(''),
  )

describe('the attention mask', () => {
  it('lets each token see itself and those before it', () => {
    const mask = fillMask([{ position: 1, count: 2, kvLength: 4 }], {
      slidingWindow: undefined,
      isAlibi: false,
    })
    expect(lines(mask, 4)).toEqual(['xx..', 'xxx.'])
  })

  it('keeps to a window, and joins the masks of sequences', () => {
    const rows = [
      { position: 3, count: 1, kvLength: 4 },
      { position: 0, count: 3, kvLength: 4 },
    ]
    const mask = fillMask(rows, { slidingWindow: 2, isAlibi: false })
    expect(lines(mask, 4)).toEqual(['..xx', 'x...', 'xx..', '.xx.'])
  })

  it('has the distances of ALiBi', () => {
    const mask = fillMask([{ position: 2, count: 1, kvLength: 4 }], {
      slidingWindow: undefined,
      isAlibi: true,
    })
    expect([...mask]).toEqual([toHalf(-2), toHalf(-1), toHalf(-0), 0xfc00])
  })
})

it('half-precision numbers are the nearest ones', () => {
  const known = { 0: 0, 1: 0x3c00, '-2': 0xc000, 65504: 0x7bff, 70000: 0x7c00, 2049: 0x6800, 2051: 0x6802 }
  for (const [value, bits] of Object.entries(known)) expect(toHalf(Number(value)), value).toBe(bits)
})
