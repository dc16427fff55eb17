import { beforeAll, describe, expect, it } from 'vitest'
import { runHostilePeers, type HostileReport } from '../../../packages/blocks/src/testing/hostile-run.ts'

// Four peers attack a server of blocks by all that they can send, and open 10,000 sessions, while an honest session goes on.

const mebibyte = 2 ** 20
/** What requests in memory, and unread bytes, may take in this run. */
const [requestMiB, unreadMiB] = [32, 32]
/** A stream and its session take some kilobytes, and at most 1,000 of each are open. */
const objectsMiB = 64
/** Memory that Node and the allocator keep after the objects in it are gone. */
const keptMiB = 256

let report: HostileReport
beforeAll(async () => {
  report = await runHostilePeers({
    settings: {
      cacheTokens: 4096,
      requestMemoryBytes: requestMiB * mebibyte,
      limits: { unreadBytes: unreadMiB * mebibyte },
    },
    peers: 4,
    sessions: 10_000,
  })
}, 600_000)

describe('a server that hostile peers attack', () => {
  it('answers an honest session, and each answer is what it was before', () => {
    expect(report.honestSteps).toBeGreaterThan(20)
  })

  it('serves sessions of these peers, too, as far as they fit', () => {
    expect(report.answeredSessions).toBeGreaterThan(100)
  })

  it('refuses bad tensors and wrong positions, and computes those with values that are no numbers', () => {
    expect(report.answeredTensors).toEqual([3, 3, 3, 3])
    expect(report.answeredPositions).toBe(0)
  })

  it('has bounded memory', () => {
    const { calm, most, live } = report
    expect(live.most - live.calm).toBeLessThan(requestMiB + unreadMiB + objectsMiB)
    expect(most.server - calm.server).toBeLessThan(requestMiB + unreadMiB + objectsMiB + keptMiB)
    // Keys and values of all sessions are one reservation, whose pages come when they are used: 8 MiB here.
    expect(most.engine - calm.engine).toBeLessThan(48)
  })

  it('keeps nothing of peers that have left', () => {
    expect(report.load).toEqual({
      connections: 0,
      streams: 0,
      requestBytes: 0,
      cacheTokensLeft: 4096,
      sessions: 0,
    })
    expect(report.live.after - report.live.calm).toBeLessThan(32)
  })
})
