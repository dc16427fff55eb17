import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { SwarmWait } from '../swarm/swarm-status.ts'
import { withWaits } from './with-waits.ts'

const wait: SwarmWait = { blocks: [{ start: 2, end: 4 }], since: 1000, until: 2000 }

it('reports waits in order, also before the first item', async () => {
  const items = withWaits({}, async function* ({ onWait }) {
    onWait(wait)
    await delay(1)
    onWait(undefined)
    yield 'a'
    yield 'b'
    onWait(wait)
    yield 'c'
  })
  const expected = [
    { type: 'wait', wait },
    { type: 'wait', wait: undefined },
    'a',
    'b',
    { type: 'wait', wait },
    'c',
  ]
  expect(await Array.fromAsync(items)).toEqual(expected)
})

it('passes errors and the reason of an abort through unchanged', async () => {
  const fault = new Error('fault')
  const failing = withWaits({}, async function* () {
    yield 1
    throw fault
  })
  await expect(Array.fromAsync(failing)).rejects.toBe(fault)
  const reason = new Error('enough')
  const aborted = withWaits({ signal: AbortSignal.abort(reason) }, async function* ({ signal }) {
    signal.throwIfAborted()
    yield 1
  })
  await expect(Array.fromAsync(aborted)).rejects.toBe(reason)
})

it('stops the work when the caller leaves the loop during a wait', async () => {
  let ended = false
  const items = withWaits({}, async function* ({ signal, onWait }) {
    try {
      onWait(wait)
      await delay(60_000, undefined, { signal })
      yield 1
    } finally {
      ended = true
    }
  })
  for await (const item of items) {
    expect(item).toEqual({ type: 'wait', wait })
    break
  }
  expect(ended).toBe(true)
})

it('stops the work when the caller leaves the loop at an item', async () => {
  let ended = false
  const items = withWaits({}, async function* () {
    try {
      while (true) yield 1
    } finally {
      ended = true
    }
  })
  for await (const _ of items) break
  expect(ended).toBe(true)
})
