import { CapacityError } from '@petals-chat/engine'
import { expect, it } from 'vitest'
import { DeadlineExceededError, PeerUnreachableError, RpcError } from '../errors.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import { Recovery } from './recovery.ts'

const peer = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')
const full = new RpcError('rpc_inference', 'Could not allocate 100 bytes')

it('a server without room is asked again five times, no matter how long the step waited for others before', () => {
  const recovery = new Recovery({ maxRetries: 100, waitTimeoutMs: 0 })
  recovery.note(peer, new PeerUnreachableError('gone'))
  for (let i = 0; i < 20; i++) expect(recovery.pauseMs([peer])).toBeGreaterThan(0)
  for (let i = 0; i < 5; i++) {
    recovery.note(peer, full)
    recovery.pauseMs([]) // a wait for other servers
    expect(recovery.pauseMs([peer])).toBeGreaterThan(0)
  }
  recovery.note(peer, full)
  expect(() => recovery.pauseMs([peer])).toThrow(CapacityError)
})

it('a server that was late is asked again at once, with more time each time', () => {
  const recovery = new Recovery({ maxRetries: 1, waitTimeoutMs: 0 })
  for (const scale of [2, 4, 8]) {
    recovery.note(peer, new DeadlineExceededError('A step', 2000, { peer }))
    expect(recovery.deadlineScale).toBe(scale)
    expect(recovery.pauseMs([peer])).toBe(0)
  }
})
