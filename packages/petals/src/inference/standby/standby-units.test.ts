import { describe, expect, it } from 'vitest'
import type { Span } from '../../blocks/spans.ts'
import { peerIdFromBytes } from '../../p2p/peer-id.ts'
import type { ServerStatus } from '../../routing/router.ts'
import { chooseSpare, hasRoomBeside, isAsGood } from './choose-spare.ts'
import { StandbyLoad } from './standby-load.ts'

const peerOf = (index: number) => {
  const bytes = new Uint8Array(34).fill(index)
  bytes.set([0x12, 32])
  return peerIdFromBytes(bytes)!
}

const server = (
  index: number,
  start: number,
  end: number,
  more: Partial<ServerStatus> = {},
): ServerStatus => ({
  peer: peerOf(index),
  start,
  end,
  server: { state: 'online', throughput: 1, adapters: [], inferenceRps: 100 },
  rttSeconds: 0.01,
  alive: true,
  bannedForMs: 0,
  usable: true,
  verdict: undefined,
  expirationTime: Infinity,
  ...more,
})

const hop: Span = server(0, 2, 4)
const options = {
  route: [hop, server(9, 4, 8)] as readonly Span[],
  lengthOn: () => 100,
  reserved: () => 0,
  isExcluded: () => false,
}
const chosen = (servers: readonly ServerStatus[], more: Partial<typeof options> = {}) => {
  const span = chooseSpare(servers, hop, { ...options, ...more })
  return span && [span.peer, span.start, span.end]
}
const announcing = (cacheTokensLeft: number) => ({
  server: { ...server(1, 0, 8).server, cacheTokensLeft },
})

describe('the standby of a hop', () => {
  it('is the fastest other server that holds all its blocks', () => {
    const servers = [server(0, 2, 4), server(1, 0, 3), server(2, 0, 8, { rttSeconds: 0.5 }), server(3, 2, 4)]
    expect(chosen(servers)).toEqual([peerOf(3), 2, 4])
    expect(chosen(servers.slice(0, 3))).toEqual([peerOf(2), 2, 4])
    expect(chosen(servers.slice(0, 2))).toBeUndefined()
  })

  it('is on the route only if there is no other: both would be lost at once', () => {
    const onRoute = server(9, 0, 8)
    expect(chosen([onRoute])).toEqual([peerOf(9), 2, 4])
    expect(chosen([onRoute, server(1, 0, 8, { rttSeconds: 1 })])).toEqual([peerOf(1), 2, 4])
  })

  it.each<[string, Partial<ServerStatus>]>([
    ['banned', { bannedForMs: 1 }],
    ['silent', { alive: false }],
    ['joining', { server: { ...hop.server, state: 'joining' } }],
    ['not to be used', { usable: false }],
    ['disputed', { verdict: { kind: 'disputed', against: [], difference: 1, remainingMs: 1 } }],
  ])('is not one that is %s', (_what, more) => {
    expect(chosen([server(1, 0, 8, more)])).toBeUndefined()
  })

  it('has four times the room that it needs, besides what other standbys there have', () => {
    const needed = 4 * 2 * 100 * 2
    expect(chosen([server(1, 0, 8, announcing(needed))])).toBeDefined()
    expect(chosen([server(1, 0, 8, announcing(needed - 1))])).toBeUndefined()
    expect(chosen([server(1, 0, 8, announcing(needed))], { reserved: () => 1 })).toBeUndefined()
  })
})

const quantized = { server: { ...hop.server, quantType: 'q4_k', inferenceRps: 1000 } }

it('a standby with the numbers of its server comes before a faster one with others', () => {
  const servers = [server(1, 2, 4, quantized), server(2, 2, 4)]
  expect(chosen(servers)).toEqual([peerOf(2), 2, 4])
  expect(chosen(servers.slice(0, 1))).toEqual([peerOf(1), 2, 4])
})

describe('a standby is as good as its server', () => {
  const isGood = (more: Partial<ServerStatus>, rtts: Readonly<Record<string, number>> = {}) =>
    isAsGood(server(1, 2, 4, more), hop, (peer) => rtts[peer] ?? 0.01)
  const rated = (inferenceRps: number) => ({ server: { ...hop.server, inferenceRps } })

  it('if it is nearly as fast, and as near', () => {
    expect([isGood({}), isGood(rated(200)), isGood(rated(70))]).toEqual([true, true, true])
    expect([isGood(rated(20)), isGood({}, { [peerOf(1)]: 0.2 })]).toEqual([false, false])
    expect(isGood({}, { [peerOf(1)]: 0.2, [peerOf(0)]: 0.3 })).toBe(true)
  })

  it('if it computes with the same numbers', () => {
    expect(isGood(quantized)).toBe(false)
  })
})

it('a standby has to go where no other session of its length would find room', () => {
  const spare = { span: { ...hop }, maxLength: 100 }
  expect(hasRoomBeside(announcing(2 * 100 * 2), spare)).toBe(true)
  expect(hasRoomBeside(announcing(2 * 100 * 2 - 1), spare)).toBe(false)
  expect(hasRoomBeside({ server: hop.server }, spare)).toBe(true)
})

describe('the standbys of all sessions', () => {
  it('take an eighth of the time of a server, one request at a time', () => {
    let now = 0
    const load = new StandbyLoad(() => now)
    let working = 0
    while (now < 100_000) {
      const work = load.begin(peerOf(1))
      expect(load.begin(peerOf(1))).toBeUndefined()
      now += 250
      if (work) {
        load.end(work, 50) // 50 ms of it on the way
        working += 200
      }
    }
    expect(working / now).toBeGreaterThan(0.1)
    expect(working / now).toBeLessThanOrEqual(1 / 8)
    expect(load.begin(peerOf(2))).toBeDefined()
  })

  it('are not on a server that has just failed as one', () => {
    let now = 0
    const load = new StandbyLoad(() => now)
    load.coolOff(peerOf(1))
    expect(load.isCooling(peerOf(1))).toBe(true)
    now = 30_000
    expect(load.isCooling(peerOf(1))).toBe(false)
  })
})
