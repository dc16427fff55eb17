import { silentLogger } from '@petals-chat/engine'
import type { PeerId, RpcClient } from '@petals-chat/petals/protocol'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { measurablePeers, NetworkSpeed } from './network-speed.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Peers by their names, each behind a line of so many bits per second that its messages share; 0: it answers nothing. */
function linesTo(lines: Readonly<Record<string, number>>, roundTripMs = 40) {
  const sent: Record<string, number> = {}
  const freeAt: Record<string, number> = {}
  const unary = async (peer: PeerId, _method: unknown, { byteLength }: Uint8Array): Promise<unknown> => {
    const bps = lines[peer]!
    if (bps === 0) throw new Error('no such method')
    sent[peer] = (sent[peer] ?? 0) + byteLength
    freeAt[peer] = Math.max(freeAt[peer] ?? 0, performance.now()) + (byteLength * 8000) / bps
    await new Promise((resolve) => setTimeout(resolve, freeAt[peer]! - performance.now() + roundTripMs))
    return {}
  }
  return {
    sent,
    rpc: { unary } as unknown as Pick<RpcClient, 'unary'>,
    peers: Object.keys(lines) as PeerId[],
  }
}

async function measured(
  lines: Readonly<Record<string, number>>,
  { given, roundTripMs }: { readonly given?: number; readonly roundTripMs?: number } = {},
) {
  const { rpc, peers, sent } = linesTo(lines, roundTripMs)
  const speed = new NetworkSpeed({ rpc, given, logger: silentLogger })
  const done = speed.measure(peers)
  await vi.advanceTimersByTimeAsync(60_000)
  await done
  return { speed, sent }
}

it('the fastest peer shows how fast this machine sends', async () => {
  const { speed } = await measured({ modem: 1e6, fibre: 50e6, silent: 0 })
  expect(speed.bps).toBeGreaterThan(45e6)
  expect(speed.bps).toBeLessThan(55e6)
})

it('a slow line is sent no more than shows it, and a fast one less than three megabytes', async () => {
  const { speed, sent } = await measured({ modem: 0.8e6 })
  expect(speed.bps).toBeCloseTo(0.8e6, -5)
  expect(sent).toEqual({ modem: 64 * 1024 })
  expect((await measured({ fibre: 400e6 })).sent['fibre']).toBeLessThan(3e6)
})

it('no more than a gigabit is claimed', async () => {
  expect((await measured({ here: 1e12 }, { roundTripMs: 1 })).speed.bps).toBe(1e9)
})

it('it is not known while no peer answers, and measured once', async () => {
  const { speed } = await measured({ silent: 0 })
  expect(speed.bps).toBeUndefined()
  const { rpc, peers, sent } = linesTo({ fibre: 50e6 })
  const other = new NetworkSpeed({ rpc, logger: silentLogger })
  await other.measure([])
  for (let i = 0; i < 2; i++) {
    const done = other.measure(peers)
    await vi.advanceTimersByTimeAsync(60_000)
    await done
  }
  expect(sent['fibre']).toBeLessThan(3e6)
})

it('it is measured once, also if it is asked for twice at the same time', async () => {
  const { rpc, peers, sent } = linesTo({ fibre: 50e6 })
  const speed = new NetworkSpeed({ rpc, logger: silentLogger })
  const done = Promise.all([speed.measure(peers), speed.measure(peers)])
  await vi.advanceTimersByTimeAsync(60_000)
  await done
  expect(sent['fibre']).toBeLessThan(3e6)
  expect(speed.bps).toBeGreaterThan(45e6)
})

it('nothing is sent through the relays of others, nor to servers that are not there', () => {
  const serverOf = (peer: string, more: object = {}) => ({
    peer: peer as PeerId,
    server: { state: 'online', throughput: 1, adapters: [], ...more } as const,
  })
  const servers = [
    serverOf('self'),
    serverOf('near'),
    serverOf('behind', { usingRelay: true }),
    serverOf('left', { state: 'offline' }),
  ]
  const initial = ['seed', 'near'] as PeerId[]
  expect(measurablePeers(initial, servers, 'self' as PeerId)).toEqual(['seed', 'near'])
})

it('a given speed is not measured', async () => {
  const { speed, sent } = await measured({ fibre: 50e6 }, { given: 20e6 })
  expect([speed.bps, sent]).toEqual([20e6, {}])
})
