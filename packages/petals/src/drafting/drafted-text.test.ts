import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  CapacityError,
  GenerationFailedError,
  silentLogger,
  type GenerateOptions,
  type Model,
  type Session,
  type TokenId,
} from '@petals-chat/engine'
import { closeToyLayers, openToyLayers, prompt, take, ToyModel, vocabulary } from '../fixtures/toy-session.ts'
import { seededBits } from '../sampling/random.ts'
import { DraftedText } from './drafted-text.ts'
import { DraftModel, type DraftModelOptions } from './draft-model.ts'

beforeAll(openToyLayers)
afterAll(closeToyLayers)

/** A model whose sessions can be made to hang, and to fail. */
class FaultyModel extends ToyModel {
  /** What every token waits for. */
  gate: Promise<void> = Promise.resolve()
  error: Error | undefined
  /** Most sessions that are open at once. */
  places = 4
  /** Tokens of each call, those that it reads and those that it is asked for. */
  readonly calls: { readonly read: number; readonly asked: number | undefined }[] = []

  override async openSession(options: { readonly maxLength: number }): Promise<Session> {
    if (this.open >= this.places) throw new CapacityError('All sessions are in use.')
    const session = await super.openSession(options)
    const generate = session.generate.bind(session)
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the generator has a `this` of its own
    const model = this
    session.generate = async function* (tokens: readonly TokenId[], options: GenerateOptions) {
      model.calls.push({ read: tokens.length, asked: options.maxNewTokens })
      for await (const token of generate(tokens, options)) {
        await model.gate
        if (model.error) throw model.error
        yield token
      }
    }
    return session
  }
}

/** Late only where a test is about that. */
const now = { limitMs: Infinity }

/** No draft of a test takes longer, on any machine. */
const patient = { leastPatienceMs: 60_000 }

const openModel = (own: Model, options: Partial<DraftModelOptions> = patient): Promise<DraftModel> =>
  DraftModel.open({ model: own, vocabularySize: vocabulary, logger: silentLogger, ...options })

let toy: FaultyModel
let model: DraftModel
beforeEach(async () => {
  toy = new FaultyModel()
  model = await openModel(toy)
  toy.calls.length = 0
})
afterEach(() => model[Symbol.asyncDispose]())

async function ready(text: DraftedText): Promise<DraftedText> {
  text.prepare()
  await text.settled
  return text
}

async function continuation(text: readonly TokenId[], count: number): Promise<TokenId[]> {
  const session = await new ToyModel().openSession({ maxLength: 512 })
  return take(session, text, count)
}

const begin = (tokens: readonly TokenId[] = prompt): Promise<DraftedText> =>
  ready(new DraftedText(model, tokens))

describe('the text of an answer in a draft model', () => {
  it('is continued as the model would continue it, whatever of it was drafted and whatever came otherwise', async () => {
    const random = seededBits(11)
    const answer = [...prompt]
    const text = await begin()
    for (let round = 0; round < 25; round++) {
      const count = 1 + (random() % 6)
      const drafts = await text.draft(count, now)
      expect(drafts).toEqual(await continuation(answer, count))
      // Some drafts are right, then some tokens come that the model did not guess.
      const came = [
        ...drafts.slice(0, random() % (count + 1)),
        ...Array.from({ length: 1 + (random() % 3) }, () => random() % 256),
      ]
      for (const token of came) text.push(token)
      answer.push(...came)
    }
    text.end()
  })

  it('is read from where it differs, and nothing is computed beyond the drafts', async () => {
    const text = await begin()
    const drafts = await text.draft(4, now)
    for (const token of drafts) text.push(token)
    text.push(7)
    await text.draft(3, now)
    // Two were right, then another token came.
    const more = await text.draft(3, now)
    for (const token of [...more.slice(0, 2), (more[2]! + 1) % 256]) text.push(token)
    await text.draft(2, now)
    expect(toy.calls).toEqual([
      { read: prompt.length - 1, asked: 1 },
      { read: 1, asked: 4 },
      { read: 2, asked: 3 },
      { read: 1, asked: 3 },
      { read: 1, asked: 2 },
    ])
    text.end()
  })

  it('is read in the background where much of it is unread', async () => {
    const long = Array.from({ length: 100 }, (_, i) => (i * 7) % 256)
    const text = new DraftedText(model, long)
    expect([text.isUsable, text.isReady]).toEqual([true, false])
    expect(await text.draft(3, now)).toEqual([])
    await ready(text)
    expect(text.isReady).toBe(true)
    for (let i = 0; i < 40; i++) text.push(i)
    expect(text.isReady).toBe(false)
    await ready(text)
    expect(await text.draft(3, now)).toEqual(
      await continuation([...long, ...Array.from({ length: 40 }, (_, i) => i)], 3),
    )
    text.end()
  })

  it('leaves its session to the next answer, which reads only what is new', async () => {
    const long = Array.from({ length: 100 }, (_, i) => (i * 7) % 256)
    const first = await begin(long)
    first.end()
    await first.settled
    toy.calls.length = 0
    await begin([...long, 1, 2, 3])
    expect(toy.calls).toEqual([])
    expect(toy.open).toBe(2) // that of the trial, and that of both answers
  })

  it('ends where the context of the model does', async () => {
    const long = Array.from({ length: toy.contextLength - 2 }, (_, i) => i % 256)
    const text = await begin(long)
    expect(await text.draft(8, now)).toHaveLength(2)
    text.push(1)
    text.push(2)
    expect(text.isUsable).toBe(false)
    expect(await text.draft(8, now)).toEqual([])
    text.end()
  })

  it('has no drafts that the large model does not know', async () => {
    const text = await begin()
    const [first] = await text.draft(1, now)
    const few = await openModel(new ToyModel(), { ...patient, vocabularySize: first! })
    const other = await ready(new DraftedText(few, prompt))
    expect(await other.draft(4, now)).toEqual([])
    text.end()
    other.end()
  })
})

describe('a draft model that fails', () => {
  it('is not waited for longer than the answer can afford', async () => {
    const slow = await openModel(toy, {})
    const text = await ready(new DraftedText(slow, prompt))
    const { promise, resolve } = Promise.withResolvers<void>()
    toy.gate = promise
    for (let i = 0; i < 9; i++) slow.noteTime(1, 60_000)
    expect(await text.draft(4, { limitMs: 1 })).toEqual([])
    resolve()
    text.end()
  })

  it('is not waited for when it hangs, and helps again when it goes on', async () => {
    const hasty = await openModel(toy, { leastPatienceMs: 1 })
    const text = await ready(new DraftedText(hasty, prompt))
    const expected = await continuation(prompt, 2)
    const { promise, resolve } = Promise.withResolvers<void>()
    toy.gate = promise
    expect(await text.draft(4, now)).toEqual([])
    expect([text.isUsable, text.isReady]).toEqual([true, false])
    expect(await text.draft(4, now)).toEqual([])
    text.push(expected[0]!)
    resolve()
    await text.settled
    for (let i = 0; i < 9; i++) hasty.noteTime(1, 60_000)
    expect(await text.draft(1, now)).toEqual([expected[1]])
    text.end()
  })

  it('gives the drafts that it made before it hung', async () => {
    const hasty = await openModel(toy, { leastPatienceMs: 500 })
    const text = await ready(new DraftedText(hasty, prompt))
    const expected = await continuation(prompt, 2)
    const { promise, resolve } = Promise.withResolvers<void>()
    let tokens = 0
    Object.defineProperty(toy, 'gate', {
      get: () => (tokens++ < 2 ? Promise.resolve() : promise),
    })
    // A busy machine may give it less time than two tokens take.
    expect(expected).toEqual(expect.arrayContaining([...(await text.draft(4, now))]))
    resolve()
    text.end()
  })

  it('rests after an error, for longer after each further one, and gets a new session', async () => {
    const warned = vi.fn()
    const failing = await openModel(toy, { ...patient, logger: { ...silentLogger, warn: warned } })
    const text = await ready(new DraftedText(failing, prompt))
    const before = toy.open
    toy.error = new GenerationFailedError('The process died.')
    const answer = [...prompt]
    for (const rest of [32, 64, 128]) {
      expect(await text.draft(2, now)).toEqual([])
      await vi.waitFor(() => expect(toy.open).toBe(before - 1))
      for (let i = 0; i < rest; i++) {
        expect(text.isUsable).toBe(false)
        text.push(i)
        answer.push(i)
      }
      expect(text.isUsable).toBe(true)
      toy.error = rest === 128 ? undefined : toy.error
      if (toy.error === undefined) break
      toy.error = undefined
      await ready(text)
      toy.error = new GenerationFailedError('The process died.')
    }
    await ready(text)
    expect(await text.draft(2, now)).toEqual(await continuation(answer, 2))
    expect(warned).toHaveBeenCalledTimes(3)
    text.end()
  })

  it('ends with its answer, also in the middle of reading', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    toy.gate = promise
    const text = new DraftedText(
      model,
      Array.from({ length: 100 }, (_, i) => i),
    )
    text.prepare()
    await sleep(5)
    text.end()
    resolve()
    await text.settled
    const [controller, reason] = [new AbortController(), new Error('enough')]
    const other = await begin()
    toy.gate = Promise.withResolvers<void>().promise
    const drafting = other.draft(4, { signal: controller.signal, limitMs: Infinity })
    controller.abort(reason)
    expect(await drafting).toEqual([])
    other.end()
  })

  it('is left alone for a while where all its sessions are in use', async () => {
    toy.places = 1
    const first = await begin()
    const second = await begin()
    expect([first.isReady, second.isReady, second.isUsable]).toEqual([true, false, false])
    first.end()
    await first.settled
    for (let i = 0; i < 32; i++) second.push(i)
    expect((await ready(second)).isReady).toBe(true)
    second.end()
  })
})

describe('DraftModel', () => {
  it('knows how long a token takes, and how often it is right', () => {
    for (let i = 0; i < 9; i++) model.noteTime(4, 40)
    expect(model.tokenMs).toBe(10)
    model.noteTime(1, 9000)
    expect(model.tokenMs).toBe(10)
    const before = model.usual
    for (let i = 0; i < 400; i++) model.noteGuess(true)
    expect(model.usual).toBeGreaterThan(0.9)
    expect(before).toBeLessThan(0.7)
  })

  it('is closed with its own model', async () => {
    const closing = vi.fn(async () => {})
    const own: Model = Object.assign(new ToyModel(), { [Symbol.asyncDispose]: closing })
    const opened = await openModel(own)
    await opened[Symbol.asyncDispose]()
    expect(closing).toHaveBeenCalledOnce()
  })
})
