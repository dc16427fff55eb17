import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, vector } from '../../fixtures/vectors.ts'
import type { DhtRecord } from '../dht/dht-client.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'
import { formatBlocks } from './block-range.ts'
import { rangeUid } from './block-uid.ts'
import { parseServerInfo } from './server-info.ts'
import { computeSpans, missingBlocks } from './spans.ts'

const a = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')
const b = parsePeerId('QmTTA2daxGqo5denp6SwLzzkLJm3fuisYEi9CoWsuHpzfb')

describe('names of blocks', () => {
  it('rangeUid joins the blocks by spaces', () => {
    expect(rangeUid('m-hf', { start: 3, end: 6 })).toBe('m-hf.3 m-hf.4 m-hf.5')
  })

  it('formatBlocks groups consecutive blocks', () => {
    expect(formatBlocks([0, 1, 2, 5, 7, 8])).toBe('0-2, 5, 7-8')
    expect(formatBlocks([])).toBe('')
  })
})

describe('ServerInfo', () => {
  it('parses a full recorded record', () => {
    const { decoded, hex: bytes } = vector('serverinfo/full')
    expect(parseServerInfo(decodeMsgpack(hex(bytes)))).toEqual({
      state: 'online',
      throughput: 123.5,
      blocks: { start: 0, end: 15 },
      publicName: 'test node',
      version: '2.2.0.post1',
      networkRps: 1000.25,
      forwardRps: 2000.5,
      inferenceRps: 77.75,
      adapters: ['org/lora-a', 'org/lora-b'],
      torchDtype: 'bfloat16',
      quantType: 'nf4',
      usingRelay: false,
      cacheTokensLeft: 262_144,
      nextPings: new Map(Object.entries(decoded[2].next_pings)),
    })
  })

  it('parses minimal and offline recorded records', () => {
    expect(parseServerInfo(decodeMsgpack(hex(vector('serverinfo/minimal').hex)))).toMatchObject({
      state: 'joining',
      adapters: [],
    })
    expect(parseServerInfo(decodeMsgpack(hex(vector('serverinfo/offline').hex)))).toMatchObject({
      state: 'offline',
    })
  })

  it('accepts records without extra fields, and integers instead of floats', () => {
    expect(parseServerInfo([2, 1])).toMatchObject({
      state: 'online',
      throughput: 1,
      blocks: undefined,
      adapters: [],
    })
  })

  const withExtra = (extra: Readonly<Record<string, MsgpackValue>>): MsgpackValue => [
    2,
    1,
    new Map(Object.entries(extra)),
  ]

  it.each<[string, MsgpackValue]>([
    ['not a tuple', new Map()],
    ['an unknown state', [3, 1]],
    ['a state of no integer', [1.5, 1]],
    ['throughput NaN', [2, NaN]],
    ['throughput 1e308', [2, 1e308]],
    ['throughput -1', [2, -1]],
    ['throughput text', [2, '1']],
    ['start beyond end', withExtra({ start_block: 5, end_block: 3 })],
    ['blocks below zero', withExtra({ start_block: -1, end_block: 3 })],
    ['blocks of no integers', withExtra({ start_block: 0.5, end_block: 3 })],
  ])('%s is invalid', (_name, value) => {
    expect(parseServerInfo(value)).toBeUndefined()
  })

  it('fields of a wrong type, or with impossible values, count as missing', () => {
    const info = parseServerInfo(
      withExtra({
        inference_rps: 1e300,
        version: 7,
        adapters: 'x',
        using_relay: 1,
        cache_tokens_left: -5,
        next_pings: [],
      }),
    )
    expect(info).toMatchObject({
      inferenceRps: undefined,
      version: undefined,
      adapters: [],
      usingRelay: undefined,
    })
    expect(info).toMatchObject({ cacheTokensLeft: undefined, nextPings: undefined })
  })

  it('pings of invalid peers, or of negative time, are left out; infinite ones stay', () => {
    const nextPings = new Map<MsgpackValue, MsgpackValue>([
      [a, 0.5],
      [b, Infinity],
      ['not a peer id', 1],
      ['QmX', -1],
      [7, 1],
    ])
    expect(parseServerInfo(withExtra({ next_pings: nextPings }))?.nextPings).toEqual(
      new Map([
        [a, 0.5],
        [b, Infinity],
      ]),
    )
  })

  it('names are truncated and have only printable characters', () => {
    const name = parseServerInfo(
      withExtra({ public_name: `evil\u0000\u001b[31m\u202e${'x'.repeat(1000)}` }),
    )?.publicName
    expect(name).toMatch(/^evil\[31mx+$/)
    expect(name!.length).toBeLessThanOrEqual(120)
  })

  it('any msgpack value is parsed without an error', () => {
    const value = fc.letrec<{ value: MsgpackValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<MsgpackValue>(null, true, 2, 1.5, NaN, 'start_block', 'next_pings'),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
      ),
    })).value
    fc.assert(fc.property(value, (input) => void parseServerInfo(input)))
  })
})

describe('spans', () => {
  const later = 1_000_240
  const online = (start: number, end: number, expirationTime = later) => ({
    value: [
      2,
      1,
      new Map([
        ['start_block', start],
        ['end_block', end],
      ]),
    ] as MsgpackValue,
    expirationTime,
  })
  const record = (
    entries: Readonly<Record<string, { value: MsgpackValue; expirationTime: number }>>,
  ): DhtRecord => ({
    expirationTime: later,
    subkeys: new Map(Object.entries(entries)),
  })
  const ranges = (records: readonly (DhtRecord | undefined)[]) =>
    computeSpans(records).map(({ peer, start, end, server }) => ({ peer, start, end, state: server.state }))

  it('there is one for each server', () => {
    const records = [
      record({ [a]: online(0, 2) }),
      record({ [a]: online(0, 2), [b]: online(1, 3) }),
      record({ [b]: online(1, 3) }),
    ]
    expect(ranges(records)).toEqual([
      { peer: a, start: 0, end: 2, state: 'online' },
      { peer: b, start: 1, end: 3, state: 'online' },
    ])
  })

  it('the latest announcement of a server that moved counts', () => {
    const records = [
      record({ [a]: online(0, 2, later - 60) }),
      record({ [a]: online(1, 3) }),
      record({ [a]: online(1, 3) }),
    ]
    expect(ranges(records)).toEqual([{ peer: a, start: 1, end: 3, state: 'online' }])
  })

  it('a server that announces that it is offline is offline, whatever it announced before', () => {
    const goodbye = {
      value: [
        0,
        1,
        new Map([
          ['start_block', 0],
          ['end_block', 2],
        ]),
      ] as MsgpackValue,
      expirationTime: later + 1,
    }
    expect(ranges([record({ [a]: online(0, 2) }), record({ [a]: goodbye })])).toMatchObject([
      { state: 'offline' },
    ])
  })

  it('servers that announce no span hold the blocks that they announced together', () => {
    const old = (expirationTime = later) => ({ value: [2, 1] as MsgpackValue, expirationTime })
    const records = [
      record({ [a]: old(later - 100) }),
      record({ [a]: old() }),
      record({ [a]: old() }),
      undefined,
    ]
    expect(ranges(records)).toEqual([{ peer: a, start: 1, end: 3, state: 'online' }])
  })

  it('spans beyond the model, or without the block of their record, are ignored', () => {
    expect(ranges([record({ [a]: online(0, 5) }), record({ [b]: online(0, 1) })])).toEqual([])
  })

  it('invalid peer ids and invalid records are ignored', () => {
    const bad = { value: 'nonsense', expirationTime: later }
    expect(ranges([record({ invalid: online(0, 1), [b]: bad, [a]: online(0, 1) })])).toMatchObject([
      { peer: a },
    ])
  })

  it('missingBlocks returns the blocks that no span holds', () => {
    const spans = computeSpans([
      record({ [a]: online(0, 1) }),
      undefined,
      record({ [b]: online(2, 3) }),
      undefined,
    ])
    expect(missingBlocks(spans, { start: 0, end: 4 })).toEqual([1, 3])
    expect(missingBlocks(spans, { start: 2, end: 3 })).toEqual([])
  })
})
