import { describe, expect, it } from 'vitest'
import type { ServerInfo } from '../blocks/server-info.ts'
import type { Difference } from './difference.ts'
import { precisionOf, type Precision } from './precision.ts'
import { Tolerances } from './tolerances.ts'

const precision = (server: Partial<ServerInfo>, compression = 0) =>
  precisionOf(
    { server: { state: 'online', throughput: 1, adapters: [], torchDtype: 'float32', ...server } },
    compression,
  )

/** Reports whether servers of a span may differ so much, whether or not there is a doubt. */
const allows = (
  tolerances: Tolerances,
  servers: readonly Precision[],
  blocks: number,
  difference: Difference,
): boolean => tolerances.likenessOf({ servers, blocks, difference }) !== 'different'

describe('Tolerances', () => {
  const bfloat16 = precision({ torchDtype: 'bfloat16' })
  const alike = { typical: 0.003, worst: 0.01, scale: 0.0001, offset: 0.001 }
  const apart = { ...alike, typical: 0.03 }

  it('depend on how both servers round', () => {
    const tolerances = new Tolerances()
    const float32 = precision({})
    const nf4 = precision({ torchDtype: 'bfloat16', quantType: 'nf4' })
    expect(allows(tolerances, [float32, float32], 3, { ...alike, typical: 0.004 })).toBe(false)
    expect(allows(tolerances, [float32, bfloat16], 3, alike)).toBe(true)
    const far = { typical: 0.2, worst: 0.4, scale: 0.05, offset: 0.1 }
    expect(allows(tolerances, [bfloat16, bfloat16], 3, far)).toBe(false)
    expect(allows(tolerances, [bfloat16, nf4], 3, far)).toBe(true)
    expect(allows(tolerances, [nf4, nf4], 3, far)).toBe(false)
    expect(allows(tolerances, [float32, precision({}, 2)], 3, alike)).toBe(true)
    expect(allows(tolerances, [float32, precision({}, 2)], 3, far)).toBe(false)
    expect(allows(tolerances, [float32, precision({}, 4)], 3, far)).toBe(true)
  })

  it('are wide for weights that llama.cpp quantizes in mixes, also between two of the same name', () => {
    const tolerances = new Tolerances()
    const far = { typical: 0.2, worst: 0.4, scale: 0.05, offset: 0.1 }
    const [q8, q4] = [precision({ quantType: 'q8_0' }), precision({ quantType: 'q4_k' })]
    for (const pair of [
      [bfloat16, q8],
      [bfloat16, q4],
      [q4, q4],
      [q8, q4],
    ])
      expect(allows(tolerances, pair, 3, far)).toBe(true)
    expect(allows(tolerances, [q8, q8], 3, far)).toBe(false)
    expect([q8.isKnown, q4.isKnown, precision({ quantType: 'iq4_xs' }).isKnown]).toEqual([true, true, true])
  })

  it('are no wider for a server that announces what no server has', () => {
    const tolerances = new Tolerances()
    const far = { typical: 0.2, worst: 0.4, scale: 0.05, offset: 0.1 }
    const odd = [precision({ torchDtype: 'a' }), precision({ quantType: 'b' }), precision({ torchDtype: '' })]
    for (const server of odd) {
      expect(allows(tolerances, [bfloat16, server], 3, far)).toBe(false)
      expect(allows(tolerances, [bfloat16, server], 3, alike)).toBe(true)
      expect(server).toMatchObject({ kind: 'other/none/0/?', isKnown: false })
    }
  })

  it('grow with the blocks of a span, but not for a factor', () => {
    const tolerances = new Tolerances()
    const further = { typical: 0.09, worst: 0.9, scale: 0.0001, offset: 0.07 }
    expect(allows(tolerances, [bfloat16, bfloat16], 4, further)).toBe(false)
    expect(allows(tolerances, [bfloat16, bfloat16], 40, further)).toBe(true)
    expect(allows(tolerances, [bfloat16, bfloat16], 40, { ...further, scale: 0.049 })).toBe(false)
  })

  it('narrow to what honest servers of a kind show, and never widen beyond the first', () => {
    const tolerances = new Tolerances()
    for (let i = 0; i < 7; i++) tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.0003 })
    expect(allows(tolerances, [bfloat16, bfloat16], 3, apart)).toBe(true)
    tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.0003 })
    expect(allows(tolerances, [bfloat16, bfloat16], 3, apart)).toBe(false)
    expect(allows(tolerances, [bfloat16, precision({})], 3, apart)).toBe(true)
    for (let i = 0; i < 100; i++) tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.9 })
    expect(allows(tolerances, [bfloat16, bfloat16], 3, apart)).toBe(true)
    expect(allows(tolerances, [bfloat16, bfloat16], 3, { ...alike, typical: 0.5 })).toBe(false)
  })

  it('are learnt for each pair of programs: llama.cpp keeps keys and values with 16 bits', () => {
    const tolerances = new Tolerances()
    const torch = precision({ version: '2.2.0.post1' })
    const llama = precision({ version: '2.3.0.dev2+petals.chat.0.1.0' })
    const [tiny, small] = [
      { typical: 1e-6, worst: 1e-5, scale: 1e-7, offset: 1e-6 },
      { typical: 3e-4, worst: 4e-4, scale: 7e-6, offset: 1e-4 },
    ]
    for (let i = 0; i < 8; i++) {
      tolerances.learn([torch, torch], tiny)
      tolerances.learn([llama, torch], small)
    }
    const apart = { ...small, typical: 2e-3 }
    expect(allows(tolerances, [torch, llama], 3, apart)).toBe(true)
    expect(allows(tolerances, [torch, torch], 3, apart)).toBe(false)
    expect(allows(tolerances, [torch, llama], 3, { ...small, typical: 4e-3 })).toBe(false)
  })

  it('are in doubt of a factor and an offset that rounding seldom explains, until the kinds of servers are known', () => {
    const tolerances = new Tolerances()
    const servers = [bfloat16, bfloat16]
    const likeness = (difference: Difference, blocks = 3) =>
      tolerances.likenessOf({ servers, blocks, difference })
    expect(likeness(alike)).toBe('alike')
    expect(likeness({ ...alike, offset: 0.01 })).toBe('doubtful')
    expect(likeness({ ...alike, scale: 0.01 })).toBe('doubtful')
    expect(likeness({ ...alike, offset: 0.01 }, 40)).toBe('alike')
    // Rounding does not cancel out in these.
    expect(likeness({ ...alike, typical: 0.03, worst: 0.3 })).toBe('alike')
    for (let i = 0; i < 8; i++) tolerances.learn(servers, { ...alike, offset: 0.002 })
    expect(likeness({ ...alike, offset: 0.01 })).toBe('alike')
    expect(likeness({ ...alike, offset: 0.02 })).toBe('different')
    expect(likeness({ ...alike, scale: 0.01 })).toBe('different')
  })

  it('tell a server that is alone from servers that all differ', () => {
    const tolerances = new Tolerances()
    const compared = (offset: number, scale = 0) => ({
      servers: [bfloat16, bfloat16],
      blocks: 3,
      difference: { ...alike, offset, scale },
    })
    const isAlone = (one: number, two: number, others: number): boolean =>
      tolerances.isAlone(compared(one), compared(two), compared(others).difference)
    expect(isAlone(0.01, 0.011, 0.001)).toBe(true)
    expect(isAlone(0.01, 0.011, 0.006)).toBe(false)
    // What is far from one server only, or as near as rounding is, says nothing.
    expect(isAlone(0.01, 0.003, 0.0001)).toBe(false)
    expect(isAlone(0.003, 0.003, 0.0001)).toBe(false)
    // One of another kind differs from both for its rounded weights.
    const mixed = (offset: number) => ({ ...compared(offset), servers: [bfloat16, precision({})] })
    expect(tolerances.isAlone(mixed(0.01), mixed(0.011), compared(0.001).difference)).toBe(false)
    expect(tolerances.likenessOf(mixed(0.01))).toBe('alike')
    // Nor do three whose weights are quantized in a mix, of which each may have another.
    const mix = precision({ quantType: 'q4_k' })
    const quantized = (offset: number) => ({ ...compared(offset), servers: [mix, mix] })
    expect(tolerances.isAlone(quantized(0.06), quantized(0.06), compared(0).difference)).toBe(false)
    expect(tolerances.likenessOf(quantized(0.06))).toBe('alike')
    // It must be far from both in the same way.
    expect(tolerances.isAlone(compared(0.01), compared(0, 0.01), compared(0).difference)).toBe(false)
  })
})
