import { silentLogger } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { anonymousCaller } from '../access/caller.ts'
import { gatewayConfigSchema } from '../config.ts'
import { AnswerCancelledError, ShuttingDownError } from '../errors.ts'
import { createPrometheusMetrics } from '../metrics.ts'
import { ShutdownController } from '../shutdown.ts'
import { AnswerStore } from './answer-store.ts'
import type { KeptAnswer } from './kept-answer.ts'

const owner = anonymousCaller

type Config = NonNullable<Parameters<typeof gatewayConfigSchema.parse>[0]>

function createStore(answers: object = {}) {
  const shutdown = new ShutdownController()
  const metrics = createPrometheusMetrics()
  const config = gatewayConfigSchema.parse({ answers } as Config).answers
  const store = new AnswerStore({ config, metrics, shutdown })
  const open = () => obey(store.open('stream', owner, silentLogger)!)
  const figure = async (name: string) => {
    const { body } = await metrics.render()
    const line = body.split('\n').find((candidate) => candidate.startsWith(`${name} `))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  return { store, shutdown, open, figure }
}

/** A producer that stops when it is told to. */
function obey(answer: KeptAnswer): KeptAnswer {
  answer.signal.addEventListener('abort', () => answer.end(answer.signal.reason))
  return answer
}

const running = 'petals_chat_resumable_answers{state="running"}'
const finished = 'petals_chat_resumable_answers{state="finished"}'
const bytes = 'petals_chat_resumable_answer_bytes'
const ended = (outcome: string) =>
  `petals_chat_resumable_answers_ended_total{kind="stream",outcome="${outcome}"}`

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('AnswerStore', () => {
  it('gives ids of 128 random bits, and answers by nothing else', () => {
    const { store, open } = createStore()
    const ids = new Set(Array.from({ length: 200 }, () => open().id))
    expect(ids.size).toBe(200)
    for (const id of ids) expect(id).toMatch(/^ans_[\w-]{22}$/)
    for (const id of [
      '',
      'ans_',
      '__proto__',
      'constructor',
      [...ids][0]!.toLowerCase(),
      `${[...ids][0]} `,
    ]) {
      expect(() => store.find(id, owner)).toThrow('This server keeps no answer with that id')
    }
    expect(() => store.find([...ids][0]!, owner, 'session')).toThrow('keeps no answer')
  })

  it('stops an answer without a reader after its timeout, and keeps what it has', async () => {
    const { store, open, figure } = createStore({ unreadTimeoutMs: 1_000, keepMs: 5_000 })
    const answer = open()
    answer.write('data')
    vi.advanceTimersByTime(999)
    expect(answer.isRunning).toBe(true)
    const reader = answer.attach()
    const other = answer.attach()
    vi.advanceTimersByTime(5_000)
    reader[Symbol.dispose]()
    reader[Symbol.dispose]()
    vi.advanceTimersByTime(5_000)
    expect(answer.isRunning).toBe(true)
    other[Symbol.dispose]()
    vi.advanceTimersByTime(1_000)
    expect(answer).toMatchObject({ isRunning: false, outcome: 'expired' })
    expect(String(answer.signal.reason)).toContain('no client read it for 1 s')
    expect(store.find(answer.id, owner)).toBe(answer)
    expect([await figure(running), await figure(finished), await figure(bytes)]).toEqual([0, 1, 4])
    expect(await figure(ended('expired'))).toBe(1)
    vi.advanceTimersByTime(5_000)
    expect([await figure(running), await figure(finished), await figure(bytes)]).toEqual([0, 0, 0])
    expect(() => store.find(answer.id, owner)).toThrow('This answer ended, and was kept for 5 s after that.')
  })

  it('drops the answer that ended first for want of room, but one that is being read last', () => {
    const { store, open } = createStore({ maxKept: 3 })
    const [one, two, three] = [open(), open(), open()]
    two.end()
    three.end()
    using _reader = two.attach()
    open()
    expect(() => store.find(three.id, owner)).toThrow('dropped to make room for newer ones')
    expect(store.find(two.id, owner)).toBe(two)
    open()
    expect(() => store.find(two.id, owner)).toThrow('dropped to make room')
    expect(store.find(one.id, owner)).toBe(one)
    expect(store.open('stream', owner, silentLogger)).toBeUndefined()
    one.end()
    expect(store.open('stream', owner, silentLogger)).toBeDefined()
  })

  it('never keeps more bytes than it may, finished answers going first, then the beginnings of running ones', async () => {
    const { store, open, figure } = createStore({ maxKeptBytes: 1_024 })
    const old = open()
    old.write('x'.repeat(500))
    old.end()
    const [small, large] = [open(), open()]
    small.write('x'.repeat(100))
    for (let count = 0; count < 100; count++) {
      large.write('x'.repeat(50))
      expect(await figure(bytes)).toBeLessThanOrEqual(1_024)
    }
    expect(() => store.find(old.id, owner)).toThrow('dropped to make room')
    const never = new AbortController().signal
    await expect(large.log.read(0, never).next()).rejects.toThrow('are no longer kept')
    expect(await small.log.read(0, never).next()).toMatchObject({ value: { number: 1 } })
    expect(await large.log.read(99, never).next()).toMatchObject({ value: { number: 100 } })
  })

  it('frees what other answers hold where the largest has only its newest message', async () => {
    const { open, figure } = createStore({ maxKeptBytes: 1_024 })
    const [huge, other] = [open(), open()]
    huge.write('x'.repeat(2_000))
    for (let count = 0; count < 100; count++) other.write('x'.repeat(10))
    expect(await figure(bytes)).toBe(2_010)
  })

  it('stops on request, and resolves when the producer has ended', async () => {
    const { store, figure } = createStore()
    const answer = store.open('stream', owner, silentLogger)!
    let stopped = false
    const stopping = answer.stop(new AnswerCancelledError()).then(() => (stopped = true))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([answer.signal.aborted, stopped]).toEqual([true, false])
    answer.end(answer.signal.reason)
    await stopping
    expect(await figure(ended('cancelled'))).toBe(1)
    answer.end()
    expect(answer.outcome).toBe('cancelled')
    await answer.stop(new Error('again'))
  })

  it('says what became of the last thousand answers', () => {
    const { store, open } = createStore()
    const answers = Array.from({ length: 1_001 }, () => {
      const answer = open()
      answer.end()
      store.forget(answer)
      return answer
    })
    expect(() => store.find(answers[0]!.id, owner)).toThrow('keeps no answer with that id')
    expect(() => store.find(answers[1]!.id, owner)).toThrow('deleted on request')
  })

  it('stops answers without readers when the server stops, and those that lose theirs', async () => {
    const { store, shutdown, open, figure } = createStore()
    const timers = vi.getTimerCount()
    const [unread, read, done] = [open(), open(), open()]
    done.end()
    const reader = read.attach()
    shutdown.startDraining()
    expect(unread).toMatchObject({ isRunning: false, outcome: 'shutdown' })
    expect(read.isRunning).toBe(true)
    expect(store.find(done.id, owner)).toBe(done)
    expect(store.open('stream', owner, silentLogger)).toBeUndefined()
    reader[Symbol.dispose]()
    expect(read.signal.reason).toBeInstanceOf(ShuttingDownError)
    await store[Symbol.asyncDispose]()
    expect(vi.getTimerCount()).toBe(timers)
    expect([await figure(running), await figure(finished), await figure(bytes)]).toEqual([0, 0, 0])
  })

  it('waits for running answers to end when it is disposed', async () => {
    const { store, open, shutdown } = createStore()
    const answer = open()
    using _reader = answer.attach()
    shutdown.startDraining()
    await store[Symbol.asyncDispose]()
    expect(answer.outcome).toBe('shutdown')
  })
})
