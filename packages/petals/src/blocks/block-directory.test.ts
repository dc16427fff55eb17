import { afterEach, describe, expect, it, vi } from 'vitest'
import { PeerUnreachableError } from '../errors.ts'
import type { DhtClient, DhtRecord, GetManyOptions } from '../dht/dht-client.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import { createBlockDirectory } from './block-directory.ts'
import { listSwarmModels } from './swarm-models.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'

const peer = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')

/** A DHT whose answers the test controls. */
class ScriptedDht implements DhtClient {
  time = 1000
  readonly calls: { readonly keys: readonly string[]; readonly options: GetManyOptions }[] = []
  answer: () => Promise<ReadonlyMap<string, DhtRecord>> = () => Promise.resolve(new Map())

  async getMany(
    keys: readonly string[],
    options: GetManyOptions = {},
  ): Promise<ReadonlyMap<string, DhtRecord>> {
    this.calls.push({ keys, options })
    return await this.answer()
  }
  ping = (): Promise<number> => Promise.resolve(1)
  hasAnswered = (): boolean => true
  now = (): number => this.time
}

const record = (value: MsgpackValue, subkey: string = peer): DhtRecord => ({
  expirationTime: 1240,
  subkeys: new Map([[subkey, { value, expirationTime: 1240 }]]),
})
const server = (state: number): MsgpackValue => [
  state,
  1,
  new Map([
    ['start_block', 0],
    ['end_block', 2],
  ]),
]
const all = new Map([
  ['m-hf.0', record(server(2))],
  ['m-hf.1', record(server(2))],
])

afterEach(() => vi.useRealTimers())

const directoryOf = (dht: DhtClient) =>
  createBlockDirectory({ dht, dhtPrefix: 'm-hf', numBlocks: 2, updateIntervalMs: 60_000 })

describe('the directory', () => {
  it('asks for all blocks once, for all concurrent callers', async () => {
    const dht = new ScriptedDht()
    dht.answer = async () => all
    await using directory = directoryOf(dht)
    const [spans] = await Promise.all([directory.findSpans(), directory.findSpans()])
    expect(spans).toMatchObject([{ peer, start: 0, end: 2 }])
    expect(dht.calls.map(({ keys }) => keys)).toEqual([['m-hf.0', 'm-hf.1']])
  })

  it('returns the same spans until an answer of the DHT or the end of an announcement', async () => {
    const dht = new ScriptedDht()
    dht.answer = async () => all
    await using directory = directoryOf(dht)
    const spans = await directory.findSpans()
    dht.time = 1239
    expect(await directory.findSpans()).toBe(spans)
    await directory.refresh()
    expect(await directory.findSpans()).not.toBe(spans)
    dht.time = 1240
    expect(await directory.findSpans()).toEqual([])
  })

  it('returns as soon as every block has a server, while nodes are still being asked', async () => {
    const dht = new ScriptedDht()
    const slow = Promise.withResolvers<ReadonlyMap<string, DhtRecord>>()
    dht.answer = () => slow.promise
    const directory = directoryOf(dht)
    const finding = directory.findSpans()
    dht.calls[0]!.options.onPartial!(() => new Map([['m-hf.0', record([2, 1])]]))
    dht.calls[0]!.options.onPartial!(() => all)
    await expect(finding).resolves.toMatchObject([{ peer }])
    slow.resolve(all)
    await directory[Symbol.asyncDispose]()
  })

  it('shows joining servers only in the snapshot', async () => {
    const dht = new ScriptedDht()
    dht.answer = async () => new Map([['m-hf.0', record(server(1))]])
    await using directory = directoryOf(dht)
    await expect(directory.findSpans()).resolves.toEqual([])
    expect(directory.snapshot().spans).toMatchObject([{ peer, server: { state: 'joining' } }])
  })

  it('forgets expired announcements', async () => {
    const dht = new ScriptedDht()
    dht.answer = async () => all
    await using directory = directoryOf(dht)
    await directory.findSpans()
    dht.time = 1241
    await expect(directory.findSpans()).resolves.toEqual([])
  })

  it('refreshes regularly, even after a failure', async () => {
    vi.useFakeTimers()
    const dht = new ScriptedDht()
    dht.answer = async () => all
    await using directory = directoryOf(dht)
    await directory.findSpans()
    dht.answer = () => Promise.reject(new PeerUnreachableError('No node answers.'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(dht.calls).toHaveLength(2)
    await expect(directory.findSpans()).resolves.toHaveLength(1)
    dht.answer = async () => new Map()
    await vi.advanceTimersByTimeAsync(60_000)
    await expect(directory.findSpans()).resolves.toEqual([])
  })

  it('rejects if the first lookup fails, and tries again at the next call', async () => {
    const dht = new ScriptedDht()
    dht.answer = () => Promise.reject(new PeerUnreachableError('No node answers.'))
    await using directory = directoryOf(dht)
    await expect(directory.findSpans()).rejects.toThrow('No node answers.')
    dht.answer = async () => all
    await expect(directory.findSpans()).resolves.toHaveLength(1)
  })

  it('stops waiting when the signal aborts', async () => {
    const dht = new ScriptedDht()
    const slow = Promise.withResolvers<ReadonlyMap<string, DhtRecord>>()
    dht.answer = () => slow.promise
    const directory = directoryOf(dht)
    const reason = new Error('the user left')
    await expect(directory.findSpans({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    slow.resolve(all)
    await directory[Symbol.asyncDispose]()
  })
})

it('listSwarmModels leaves out invalid entries', async () => {
  const dht = new ScriptedDht()
  const model = (fields: Readonly<Record<string, MsgpackValue>>): MsgpackValue =>
    new Map(Object.entries(fields))
  const entries: readonly [string, MsgpackValue][] = [
    ['SmolLM2-hf', model({ num_blocks: 30, repository: 'https://huggingface.co/HuggingFaceTB/SmolLM2' })],
    ['Local-hf', model({ num_blocks: 2, repository: null })],
    ['Script-hf', model({ num_blocks: 2, repository: 'javascript:alert(1)' })],
    ...['with.dot', 'two\nlines', 'red\u001b[31m', '\u202eright', 'a’;calc;’', `it's`].map(
      (prefix): [string, MsgpackValue] => [prefix, model({ num_blocks: 2, repository: null })],
    ),
    ['None-hf', model({ num_blocks: 0, repository: null })],
    ['Huge-hf', model({ num_blocks: 1e9, repository: null })],
    ['Text-hf', 'nonsense'],
  ]
  const subkeys = new Map(entries.map(([prefix, value]) => [prefix, { value, expirationTime: 1240 }]))
  dht.answer = async () => new Map([['_petals.models', { expirationTime: 1240, subkeys }]])
  await expect(listSwarmModels(dht)).resolves.toEqual([
    { dhtPrefix: 'Local-hf', numBlocks: 2, repository: undefined },
    { dhtPrefix: 'Script-hf', numBlocks: 2, repository: undefined },
    { dhtPrefix: 'SmolLM2-hf', numBlocks: 30, repository: 'https://huggingface.co/HuggingFaceTB/SmolLM2' },
  ])
})
