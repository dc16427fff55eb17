import { describe, expect, it } from 'vitest'
import type { ServerInfo } from '../blocks/server-info.ts'
import { precisionOf } from './precision.ts'
import { Tolerances } from './tolerances.ts'

const precision = (server: Partial<ServerInfo>, compression = 0) =>
  precisionOf(
    { server: { state: 'online', throughput: 1, adapters: [], torchDtype: 'float32', ...server } },
    compression,
  )

describe('Tolerances', () => {
  const bfloat16 = precision({ torchDtype: 'bfloat16' })
  const alike = { typical: 0.003, worst: 0.01, scale: 0.0001, offset: 0.001 }
  const apart = { ...alike, typical: 0.03 }

  it('depend on how both servers round', () => {
    const tolerances = new Tolerances()
    const float32 = precision({})
    const nf4 = precision({ torchDtype: 'bfloat16', quantType: 'nf4' })
    expect(tolerances.allows([float32, float32], 3, { ...alike, typical: 0.004 })).toBe(false)
    expect(tolerances.allows([float32, bfloat16], 3, alike)).toBe(true)
    const far = { typical: 0.2, worst: 0.4, scale: 0.05, offset: 0.1 }
    expect(tolerances.allows([bfloat16, bfloat16], 3, far)).toBe(false)
    expect(tolerances.allows([bfloat16, nf4], 3, far)).toBe(true)
    expect(tolerances.allows([nf4, nf4], 3, far)).toBe(false)
    expect(tolerances.allows([float32, precision({}, 2)], 3, alike)).toBe(true)
    expect(tolerances.allows([float32, precision({}, 2)], 3, far)).toBe(false)
    expect(tolerances.allows([float32, precision({}, 4)], 3, far)).toBe(true)
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
      expect(tolerances.allows(pair, 3, far)).toBe(true)
    expect(tolerances.allows([q8, q8], 3, far)).toBe(false)
    expect([q8.isKnown, q4.isKnown, precision({ quantType: 'iq4_xs' }).isKnown]).toEqual([true, true, true])
  })

  it('are no wider for a server that announces what no server has', () => {
    const tolerances = new Tolerances()
    const far = { typical: 0.2, worst: 0.4, scale: 0.05, offset: 0.1 }
    const odd = [precision({ torchDtype: 'a' }), precision({ quantType: 'b' }), precision({ torchDtype: '' })]
    for (const server of odd) {
      expect(tolerances.allows([bfloat16, server], 3, far)).toBe(false)
      expect(tolerances.allows([bfloat16, server], 3, alike)).toBe(true)
      expect(server).toMatchObject({ kind: 'other/none/0/?', isKnown: false })
    }
  })

  it('grow with the blocks of a span, but not for a factor', () => {
    const tolerances = new Tolerances()
    const further = { typical: 0.09, worst: 0.9, scale: 0.0001, offset: 0.07 }
    expect(tolerances.allows([bfloat16, bfloat16], 4, further)).toBe(false)
    expect(tolerances.allows([bfloat16, bfloat16], 40, further)).toBe(true)
    expect(tolerances.allows([bfloat16, bfloat16], 40, { ...further, scale: 0.049 })).toBe(false)
  })

  it('narrow to what honest servers of a kind show, and never widen beyond the first', () => {
    const tolerances = new Tolerances()
    for (let i = 0; i < 7; i++) tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.0003 })
    expect(tolerances.allows([bfloat16, bfloat16], 3, apart)).toBe(true)
    tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.0003 })
    expect(tolerances.allows([bfloat16, bfloat16], 3, apart)).toBe(false)
    expect(tolerances.allows([bfloat16, precision({})], 3, apart)).toBe(true)
    for (let i = 0; i < 100; i++) tolerances.learn([bfloat16, bfloat16], { ...alike, typical: 0.9 })
    expect(tolerances.allows([bfloat16, bfloat16], 3, apart)).toBe(true)
    expect(tolerances.allows([bfloat16, bfloat16], 3, { ...alike, typical: 0.5 })).toBe(false)
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
    expect(tolerances.allows([torch, llama], 3, apart)).toBe(true)
    expect(tolerances.allows([torch, torch], 3, apart)).toBe(false)
    expect(tolerances.allows([torch, llama], 3, { ...small, typical: 4e-3 })).toBe(false)
  })
})
