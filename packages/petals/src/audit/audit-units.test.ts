import { describe, expect, it } from 'vitest'
import type { ServerInfo } from '../blocks/server-info.ts'
import type { Span } from '../blocks/spans.ts'
import { peerIdFromBytes, type PeerId } from '../p2p/peer-id.ts'
import type { ServerStatus } from '../routing/router.ts'
import { Verdicts } from '../routing/verdicts.ts'
import { seededBits } from '../sampling/random.ts'
import { RecentOutputs } from '../inference/recent-outputs.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'
import { AuditBudget } from './audit-budget.ts'
import { differenceOf } from './difference.ts'
import { precisionOf } from './precision.ts'
import { decide } from './verdict.ts'
import { chooseWitnesses } from './witnesses.ts'

const peerOf = (index: number): PeerId =>
  peerIdFromBytes(
    new Uint8Array(34)
      .fill(index + 1)
      .fill(0x12, 0, 1)
      .fill(32, 1, 2),
  )!
const [a, b, c] = [peerOf(0), peerOf(1), peerOf(2)]
const info = (server: Partial<ServerInfo> = {}): ServerInfo => ({
  state: 'online',
  throughput: 1,
  adapters: [],
  torchDtype: 'float32',
  ...server,
})
const random = (seed: number): (() => number) => {
  const bits = seededBits(seed)
  return () => bits() / 2 ** 32
}

describe('AuditBudget', () => {
  const requestTokens = 128
  /** The work of a step, in tokens of a prompt: for a server that announces no speeds, a step costs as much as 25 of them. */
  const workOf = (tokens: number): number => tokens + 25 * Math.ceil(tokens / requestTokens)

  it.each([20, 200, 2000])('checks take at most 2 %% of the work, with prompts of %i tokens', (prompt) => {
    const budget = new AuditBudget(requestTokens, random(1))
    let [work, spent, checks] = [0, 0, 0]
    const ends: number[] = []
    const step = (position: number, tokens: number): void => {
      budget.earn(a, info(), tokens)
      work += workOf(tokens)
      const end = budget.due(a, info(), position)
      if (end === undefined) return
      expect(end).toBeLessThanOrEqual(position)
      ends.push(end / position)
      budget.spend(a, info(), end)
      spent += workOf(end)
      checks++
      expect(spent).toBeLessThanOrEqual(0.02 * work)
    }
    for (let answer = 0; answer < 100; answer++) {
      step(prompt, prompt)
      for (let i = 1; i <= 300; i++) step(prompt + i, 1)
    }
    expect(checks).toBeGreaterThan(20)
    expect(spent).toBeGreaterThan(0.015 * work)
    // Every part of an answer is reached now and then.
    expect(Math.max(...ends)).toBeGreaterThan(0.7)
  })

  it('a new server is checked within 256 tokens of a chat', () => {
    for (let seed = 0; seed < 200; seed++) {
      const budget = new AuditBudget(requestTokens, random(seed))
      budget.earn(a, info(), 20)
      let tokens = 0
      while (budget.due(a, info(), 20 + tokens) === undefined) budget.earn(a, info(), ++tokens && 1)
      expect(tokens).toBeLessThanOrEqual(256)
    }
  })

  it('what a server announces of its speed counts within bounds', () => {
    const after = (server: ServerInfo): number => {
      const budget = new AuditBudget(requestTokens, () => 0)
      let tokens = 0
      for (; budget.due(a, server, 20 + tokens) === undefined; tokens++) budget.earn(a, server, 1)
      return tokens
    }
    const usual = after(info())
    expect(after(info({ forwardRps: 1, inferenceRps: 1e6 }))).toBe(usual)
    expect(after(info({ forwardRps: 1e6, inferenceRps: 1 }))).toBe(
      after(info({ forwardRps: 200, inferenceRps: 1 })),
    )
  })

  it.each([
    ['that announces no speeds', {}],
    ['that is slow at single tokens', { forwardRps: 1e4, inferenceRps: 1 }],
    ['of odd speeds', { forwardRps: 77.7, inferenceRps: 1 }],
  ])('what is saved pays for a check in an answer of any length, of a server %s', (_what, speeds) => {
    for (const position of [4000, 10_000, 100_000]) {
      const budget = new AuditBudget(requestTokens, () => 1)
      budget.postpone(a) // draws again
      for (let i = 0; i < 100; i++) budget.earn(a, info(speeds), position)
      expect(budget.due(a, info(speeds), position)).toBeGreaterThan(1500)
    }
  })

  it('draws again where a check should have ended, if it could not be made', () => {
    const draws = [0.2, 0.5]
    const budget = new AuditBudget(requestTokens, () => draws.shift() ?? 0)
    budget.earn(a, info(), 20_000)
    const end = budget.due(a, info(), 2000)
    budget.postpone(a)
    budget.earn(a, info(), 64)
    expect(budget.due(a, info(), 2000)).toBeGreaterThan(end!)
  })

  it('looks for another server only now and then where there is none', () => {
    const budget = new AuditBudget(requestTokens, () => 0)
    budget.earn(a, info(), 4000)
    expect(budget.due(a, info(), 100)).toBe(16)
    budget.postpone(a)
    for (let i = 0; i < 64; i++) {
      expect(budget.due(a, info(), 100)).toBeUndefined()
      budget.earn(a, info(), 1)
    }
    expect(budget.due(a, info(), 100)).toBe(16)
  })
})

describe('RecentOutputs', () => {
  const author = { id: 'a session', span: { peer: a, server: info(), start: 0, end: 2 } }
  const outputs = (start: number, tokens: number) =>
    ({
      ...floatTensor(
        Float32Array.from({ length: tokens }, (_, i) => start + i),
        [1, tokens, 1],
      ),
      dtype: 'float32',
    }) as const
  const filled = (...ends: readonly number[]): RecentOutputs => {
    const recent = new RecentOutputs(1)
    ends.forEach((end, i) =>
      recent.append(outputs(ends[i - 1] ?? 0, end - (ends[i - 1] ?? 0)), ends[i - 1] ?? 0, author),
    )
    return recent
  }

  it('keep the first ones and the latest, and tell what is between them', () => {
    const recent = filled(512, 1024, 1536, 2048, 2100)
    expect(recent.sinceBefore(512)).toBe(0)
    expect(recent.sinceBefore(513)).toBeUndefined()
    expect(recent.sinceBefore(2100)).toBe(1536)
    expect(recent.sinceBefore(2101)).toBeUndefined()
    const values = recent.slice(2040, 2060, 'float32').flatMap((part) => [...tensorValues(part)])
    expect(values).toEqual(Array.from({ length: 20 }, (_, i) => 2040 + i))
  })

  it('keep the first ones when what follows is forgotten', () => {
    const recent = filled(512, 1024, 1536, 2048)
    recent.truncate(700)
    recent.append(outputs(700, 50), 700, author)
    expect([recent.sinceBefore(512), recent.sinceBefore(700), recent.sinceBefore(750)]).toEqual([
      0,
      undefined,
      700,
    ])
    recent.truncate(0)
    recent.append(outputs(900, 5), 900, author)
    expect([recent.sinceBefore(512), recent.sinceBefore(905)]).toEqual([undefined, 900])
  })
})

describe('differenceOf', () => {
  const hiddenSize = 64
  const values = (seed: number, count = 32): Float32Array => {
    const next = random(seed)
    return Float32Array.from({ length: count * hiddenSize }, () => next() - 0.5)
  }

  it('is zero for the same, and about one and a half for unrelated outputs', () => {
    expect(differenceOf(values(1), values(1), hiddenSize)).toEqual({
      typical: 0,
      worst: 0,
      scale: 0,
      offset: 0,
    })
    expect(differenceOf(values(1), values(2), hiddenSize).typical).toBeCloseTo(1.4, 0)
  })

  it('tells a factor and an offset from rounding of the same size', () => {
    const honest = values(1)
    const noise = values(2)
    const rounded = differenceOf(
      honest.map((value, i) => value + 0.05 * noise[i]!),
      honest,
      hiddenSize,
    )
    const scaled = differenceOf(
      honest.map((value) => value * 1.05),
      honest,
      hiddenSize,
    )
    const shifted = differenceOf(
      honest.map((value) => value + 0.05 * 0.29),
      honest,
      hiddenSize,
    )
    for (const { typical } of [rounded, scaled, shifted]) expect(typical).toBeCloseTo(0.05, 2)
    expect(scaled.scale).toBeGreaterThan(5 * rounded.scale)
    expect(shifted.offset).toBeGreaterThan(4 * rounded.offset)
  })

  it('takes nothing that few tokens have by chance for something in common', () => {
    const [honest, noise] = [values(1, 16), values(2, 16)]
    const of = (share: number, shift: number) =>
      differenceOf(
        honest.map((value, i) => value + share * noise[i]! + shift * 0.29),
        honest,
        hiddenSize,
      )
    // A quarter of the typical difference is the mean of 16.
    expect(of(0.02, 0).typical).toBeGreaterThan(0.018)
    expect(of(0.02, 0).offset).toBeLessThan(0.002)
    expect(of(0, 0.01).offset).toBeCloseTo(0.01, 3)
    expect(of(0.02, 0.01).offset).toBeCloseTo(0.01, 2)
    expect(differenceOf(values(1, 1), values(2, 1), hiddenSize).offset).toBe(0)
  })

  it('shows one wrong token among many', () => {
    const [honest, lying] = [values(1), values(1)]
    lying.set(values(3, 1), 5 * hiddenSize)
    expect(differenceOf(honest, lying, hiddenSize)).toMatchObject({ typical: 0 })
    expect(differenceOf(honest, lying, hiddenSize).worst).toBeGreaterThan(1)
  })
})

describe('decide', () => {
  const [asUsed, asWitness] = [
    { withUsed: true, withWitness: false },
    { withUsed: false, withWitness: true },
  ]
  const [asBoth, asNeither] = [
    { withUsed: true, withWitness: true },
    { withUsed: false, withWitness: false },
  ]
  it.each([
    ['no further opinion', {}, 'unknown'],
    ['a third server computes what the witness does', { third: asWitness }, 'accused'],
    ['a third server computes what was used', { third: asUsed }, 'witness'],
    [
      'three servers, three opinions',
      { third: asNeither, again: asUsed, witnessAgain: asWitness },
      'unknown',
    ],
    ['a third one is as near to both', { third: asBoth }, 'unknown'],
    ['the server contradicts itself', { again: asNeither }, 'accused'],
    ['the server now computes what the witness did', { again: asWitness }, 'accused'],
    ['the witness contradicts itself', { again: asUsed, witnessAgain: asNeither }, 'witness'],
    ['both repeat what they said', { again: asUsed, witnessAgain: asWitness }, 'unknown'],
  ] as const)('%s', (_what, opinions, guilty) => expect(decide(opinions)).toBe(guilty))
})

describe('chooseWitnesses', () => {
  const status = (
    peer: PeerId,
    start: number,
    end: number,
    server: Partial<ServerInfo> = {},
    more: Partial<ServerStatus> = {},
  ): ServerStatus => ({
    ...{ peer, start, end, server: info(server), expirationTime: 0 },
    ...{ rttSeconds: 0.1, alive: true, bannedForMs: 0, usable: true, verdict: undefined },
    ...more,
  })
  const accused = status(a, 2, 6)
  const kindOf = (span: Span): string | undefined => {
    const { kind, isKnown } = precisionOf(span, 0)
    return isKnown ? kind : undefined
  }
  const choose = (...servers: readonly ServerStatus[]) => chooseFor(accused, ...servers)
  const chooseFor = (one: ServerStatus, ...servers: readonly ServerStatus[]) =>
    chooseWitnesses([one, ...servers], one, new Set([a]), {
      tokens: 100,
      maxLength: 384,
      kindOf,
      random: () => 0,
    })?.map(({ peer, start, end }) => [peer, start, end])

  it('takes one server for all blocks, or else some for parts of them', () => {
    expect(choose(status(b, 0, 4), status(c, 0, 8))).toEqual([[c, 2, 6]])
    expect(choose(status(b, 0, 4), status(c, 3, 8))).toEqual([
      [b, 2, 4],
      [c, 4, 6],
    ])
    expect(choose(status(b, 0, 4), status(c, 5, 8))).toBeUndefined()
    expect(choose()).toBeUndefined()
  })

  it('prefers servers that round in the same way', () => {
    expect(choose(status(b, 0, 8, { torchDtype: 'bfloat16' }), status(c, 0, 8))).toEqual([[c, 2, 6]])
    expect(choose(status(b, 0, 8, { torchDtype: 'bfloat16' }))).toEqual([[b, 2, 6]])
  })

  it('does not let a server choose its witness by an announcement that no server makes', () => {
    const odd = { torchDtype: 'ours' }
    expect(chooseFor(status(a, 2, 6, odd), status(b, 0, 8), status(c, 0, 8, odd))).toEqual([[b, 2, 6]])
  })

  it.each([
    ['is not online', { state: 'joining' }, {}],
    ['has little room', { cacheTokensLeft: 4 * 2 * 384 * 8 - 1 }, {}],
    ['does not answer', {}, { alive: false }],
    ['failed just now', {}, { bannedForMs: 1 }],
    ['is not allowed, or was found wrong', {}, { usable: false }],
  ] as const)('takes no server that %s', (_what, server, more) => {
    expect(choose(status(b, 0, 8, server, more))).toBeUndefined()
  })
})

describe('Verdicts', () => {
  it('last an hour, and longer each time', () => {
    let now = 0
    const verdicts = new Verdicts(() => now)
    verdicts.convict(a, [b, c], 0.05)
    expect(verdicts.of(a)).toEqual({
      kind: 'wrong',
      against: [b, c],
      difference: 0.05,
      remainingMs: 3_600_000,
    })
    now = 3_600_000
    expect(verdicts.of(a)).toBeUndefined()
    verdicts.convict(a, [b, c], 0.05)
    expect(verdicts.of(a)?.remainingMs).toBe(7_200_000)
  })

  it('a dispute ends when the other one is found wrong, or when both compute the same', () => {
    const verdicts = new Verdicts()
    verdicts.dispute([a, b], 0.05)
    expect(verdicts.of(b)).toMatchObject({ kind: 'disputed', against: [a] })
    verdicts.agree([a, c])
    expect(verdicts.of(a)?.kind).toBe('disputed')
    verdicts.agree([a, b])
    expect([verdicts.of(a), verdicts.of(b)]).toEqual([undefined, undefined])
    verdicts.dispute([a, b], 0.05)
    verdicts.convict(b, [a, c], 0.05)
    expect(verdicts.of(a)).toBeUndefined()
    verdicts.dispute([a, b], 0.05)
    expect(verdicts.of(b)?.kind).toBe('wrong')
  })
})
