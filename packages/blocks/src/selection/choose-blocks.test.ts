import { describe, expect, it } from 'vitest'
import type { PeerId } from '@petals-chat/petals/protocol'
import { chooseBestBlocks, shouldChooseOtherBlocks, type RatedSpan } from './choose-blocks.ts'

const span = (peer: string, start: number, end: number, throughput = 10): RatedSpan => ({
  peer: peer as PeerId,
  start,
  end,
  throughput,
})
const should = (peer: string, spans: readonly RatedSpan[], balanceQuality = 0.75): boolean =>
  shouldChooseOtherBlocks(peer as PeerId, spans, { totalBlocks: 8, balanceQuality, random: () => 0.5 })

describe('the choice of blocks', () => {
  it('takes the first blocks of an empty swarm, and what is missing of others', () => {
    expect(chooseBestBlocks(3, [], 8)).toEqual({ start: 0, end: 3 })
    expect(chooseBestBlocks(3, [span('a', 0, 3)], 8)).toEqual({ start: 3, end: 6 })
    expect(chooseBestBlocks(3, [span('a', 0, 3), span('b', 3, 6)], 8)).toEqual({ start: 5, end: 8 })
    expect(chooseBestBlocks(20, [], 8)).toEqual({ start: 0, end: 8 })
  })

  it('takes the slowest blocks where none is missing', () => {
    const spans = [span('a', 0, 4, 10), span('b', 4, 8, 3)]
    expect(chooseBestBlocks(4, spans, 8)).toEqual({ start: 4, end: 8 })
  })

  it('moves a server from blocks that are served twice to those that are not served', () => {
    expect(should('b', [span('a', 0, 4), span('b', 0, 4), span('c', 4, 6)])).toBe(true)
  })

  it('leaves a server where it is if it would leave a gap, if it has the best place, or if little is gained', () => {
    expect(should('a', [span('a', 0, 4), span('b', 4, 8)])).toBe(false)
    expect(should('b', [span('a', 0, 8, 10), span('b', 4, 8, 1)])).toBe(false)
    expect(should('unknown', [span('a', 0, 4)])).toBe(false)
    const uneven = [span('a', 0, 4, 10), span('b', 0, 4, 1), span('c', 4, 8, 10)]
    expect(should('b', uneven)).toBe(false)
  })

  it('ends with servers of rates that never settle', () => {
    const spans = Array.from({ length: 60 }, (_, i) => span(`p${i}`, i % 6, (i % 6) + 2, 1 + ((i * 7) % 13)))
    expect(typeof should('p0', spans)).toBe('boolean')
  })
})
