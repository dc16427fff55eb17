import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { gatewayConfigSchema } from '../config.ts'
import { AnswerCancelledError } from '../errors.ts'
import type { KeptItem, KeptResponse, KeptResponseOptions } from './kept-response.ts'
import { ResponseStore } from './response-store.ts'

type Config = NonNullable<Parameters<typeof gatewayConfigSchema.parse>[0]>

const ann = { id: 'key:ann' }
const bob = { id: 'key:bob' }

function createStore(responses: object = {}) {
  const store = new ResponseStore(gatewayConfigSchema.parse({ responses } as Config).responses)
  let count = 0
  const open = (
    {
      owner = ann,
      text = 'Hi',
      previous = undefined as KeptResponse | undefined,
      ...more
    } = {} as Partial<KeptResponseOptions> & { text?: string },
  ) =>
    store.open({
      id: `resp_${++count}`,
      owner,
      previous,
      input: [{ id: `in_${count}`, text } as KeptItem],
      body: { output: [] },
      stop: () => {},
      ...more,
    })!
  const ended = (options: Parameters<typeof open>[0] = {}) => {
    const response = open(options)
    response.end({ output: [{ id: `out_${count}` }] })
    return response
  }
  const kept = () => ['ann', 'bob'].flatMap((name) => listed(store, { id: `key:${name}` }, count))
  return { store, open, ended, kept }
}

const listed = (store: ResponseStore, owner: { readonly id: string }, count: number): readonly string[] =>
  Array.from({ length: count }, (_each, index) => `resp_${index + 1}`).filter((id) => {
    try {
      return store.find(id, owner) !== undefined
    } catch {
      return false
    }
  })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('ResponseStore', () => {
  it('forgets events before responses: those of ended ones first, and never the newest', async () => {
    const { open, kept, store } = createStore({ maxKeptBytes: 3_000 })
    const first = open({ isBackground: true })
    first.write('a'.repeat(1_000))
    first.end({ output: [] })
    const second = open({ isBackground: true })
    for (let count = 0; count < 40; count++) second.write('b'.repeat(500))
    expect(kept()).toEqual(['resp_1', 'resp_2'])
    expect(store.bytes).toBeLessThanOrEqual(3_000)
    const { signal } = new AbortController()
    await expect(second.events(-1, signal).next()).rejects.toThrow(/are no longer kept/)
    expect(await second.events(38, signal).next()).toMatchObject({ value: { number: 40 } })
    expect(second.isRunning).toBe(true)
  })

  it('finds a response for its owner alone, and so its items', () => {
    const { store, ended } = createStore()
    const { id } = ended()
    expect(store.find(id, ann).id).toBe(id)
    expect(() => store.find(id, bob)).toThrow(/keeps no response 'resp_1'/)
    for (const item of ['in_1', 'out_1']) {
      expect(store.findByItem(item, ann)?.id).toBe(id)
      expect(store.findByItem(item, bob)).toBeUndefined()
    }
    store.remove({ id })
    expect(store.findByItem('out_1', ann)).toBeUndefined()
  })

  it('keeps a response for its time after the end, however long it runs', () => {
    const { store, open } = createStore({ keepMs: 1_000 })
    const response = open()
    vi.advanceTimersByTime(5_000)
    response.end({ output: [] })
    vi.advanceTimersByTime(999)
    expect(store.find(response.id, ann).id).toBe(response.id)
    vi.advanceTimersByTime(1)
    expect(() => store.find(response.id, ann)).toThrow()
    expect(store.bytes).toBe(0)
  })

  it('takes the oldest of who keeps the most, so that no caller pushes out what others keep', () => {
    const { ended, kept } = createStore({ maxKept: 4 })
    ended({ owner: bob })
    for (let index = 0; index < 6; index++) ended()
    expect(kept()).toEqual(['resp_5', 'resp_6', 'resp_7', 'resp_1'])
  })

  it('counts bytes in the same way, and prefers those that have ended', () => {
    const { store, open, ended, kept } = createStore({ maxKeptBytes: 4_000 })
    ended({ owner: bob, text: 'x'.repeat(500) })
    open({ text: 'x'.repeat(1_000) })
    for (let index = 0; index < 5; index++) ended({ text: 'x'.repeat(1_000) })
    expect(kept()).toEqual(['resp_2', 'resp_6', 'resp_7', 'resp_1'])
    expect(store.bytes).toBeLessThan(4_000)
  })

  it('counts what was deleted for its owner, as long as a later response has it', () => {
    const { store, ended, kept } = createStore({ maxKeptBytes: 4_000 })
    ended({ owner: bob, text: 'x'.repeat(1_000) })
    let previous: KeptResponse | undefined
    for (let index = 0; index < 2; index++) {
      const next = ended({ previous, text: 'x'.repeat(1_000) })
      if (previous !== undefined) store.remove(previous)
      previous = next
    }
    const last = ended({ previous, text: 'x' })
    store.remove(previous!)
    expect(kept()).toEqual([last.id, 'resp_1'])
    ended({ owner: bob, text: 'x'.repeat(900) })
    expect(kept()).toEqual(['resp_1', 'resp_5'])
  })

  it('refuses one in the background while only such could make room, and stops one that another owner pushes out', () => {
    const { store, open, ended, kept } = createStore({ maxKept: 2 })
    const stops = [vi.fn(), vi.fn(), vi.fn()]
    ended()
    const first = open({ isBackground: true, stop: stops[0]! })
    open({ isBackground: true, stop: stops[1]! })
    expect(kept()).toEqual(['resp_2', 'resp_3'])
    expect(() => open({ isBackground: true, stop: stops[2]! })).toThrow(/server\.responses.*cancel one/)
    expect(stops.map((stop) => stop.mock.calls.length)).toEqual([0, 0, 1])
    const read = vi.fn()
    open({ stop: read })
    expect(kept()).toEqual(['resp_2', 'resp_3'])
    open({ owner: bob })
    expect(kept()).toEqual(['resp_2', 'resp_6'])
    expect(stops.map((stop) => stop.mock.calls.length)).toEqual([0, 1, 1])
    expect(read).not.toHaveBeenCalled()
    first.end({ output: [] })
    open({ isBackground: true })
    expect(kept()).toEqual(['resp_7', 'resp_6'])
    expect(store.count).toBe(2)
  })

  it('drops one that alone is too large', () => {
    const { store, ended, kept } = createStore({ maxKeptBytes: 2_000 })
    ended({ text: 'x'.repeat(3_000) })
    expect([store.bytes, kept()]).toEqual([0, []])
  })

  it('has the items of a dialogue until its last response goes, and counts them once', () => {
    const { store, ended } = createStore()
    const first = ended({ text: 'x'.repeat(1_000) })
    const second = ended({ previous: first })
    const third = ended({ previous: second })
    const all = store.bytes
    store.remove(first)
    store.remove(second)
    expect(store.bytes).toBe(all)
    const ids = ['in_1', 'out_1', 'in_2', 'out_2', 'in_3', 'out_3']
    expect(third.allItems()).toMatchObject(ids.map((id) => ({ id })))
    expect(third.inputItems()).toMatchObject(ids.slice(0, -1).map((id) => ({ id })))
    store.remove(third)
    expect([store.bytes, store.count]).toEqual([0, 0])
  })

  it('waits for the end of a response that it stops', async () => {
    const { store } = createStore()
    const stopped = vi.fn()
    const response = store.open({
      id: 'resp_x',
      owner: ann,
      input: [],
      body: { output: [] },
      stop: stopped,
    })!
    const error = new AnswerCancelledError()
    const stopping = response.stop(error)
    expect(stopped).toHaveBeenCalledWith(error)
    response.end({ output: [], status: 'cancelled' } as { output: [] })
    await stopping
    await response.stop(error)
    expect(stopped).toHaveBeenCalledTimes(1)
    expect(JSON.parse(store.find('resp_x', ann).body)).toMatchObject({ status: 'cancelled' })
  })

  it('keeps nothing with maxKept 0', () => {
    const store = new ResponseStore(
      gatewayConfigSchema.parse({ responses: { maxKept: 0 } } as Config).responses,
    )
    const options = { id: 'resp_1', owner: ann, input: [], body: {}, stop: () => {} }
    expect(store.open(options)).toBeUndefined()
  })
})

describe('items that are used', () => {
  it('are used once by their owner, for as long as a response has them', () => {
    const { store, ended } = createStore()
    const first = ended()
    const second = ended({ previous: first })
    expect(store.use('out_1', ann, second.id)).toBe(true)
    expect(store.use('out_1', ann, 'resp_9')).toBe(false)
    expect(store.usedBy('out_1', ann)).toEqual({ response: second })
    expect(store.usedBy('out_1', bob)).toBeUndefined()
    expect(store.use('out_1', bob, 'resp_9')).toBe(true)
    store.giveBack('out_1', ann)
    expect(store.use('out_1', ann, second.id)).toBe(true)
    store.remove(first)
    expect(store.use('out_1', ann, 'resp_9')).toBe(false)
    store.remove(second)
    expect(store.usedBy('out_1', ann)).toBeUndefined()
    expect(store.use('none', ann, 'resp_9')).toBe(true)
    expect(store.usedBy('none', ann)).toBeUndefined()
  })
})
