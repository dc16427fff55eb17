import { greedy, type GenerateOptions, type Session, type TokenId } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestModel, type TestModel } from './testing/test-model.ts'

let guessing: TestModel
let plain: TestModel
let quoting: readonly TokenId[]
beforeAll(async () => {
  guessing = await openTestModel({ config: { sequences: 2 } })
  plain = await openTestModel({ config: { sequences: 2, speculation: 'off' } })
  quoting = encode(`${paragraph}\n\n${paragraph}\n\nThe lighthouse on Gull`)
})
afterAll(async () => {
  await guessing[Symbol.asyncDispose]()
  await plain[Symbol.asyncDispose]()
})

const encode = (text: string): readonly TokenId[] => plain.model.tokenizer.encode(text)

const paragraph =
  'The lighthouse on Gull Rock was built in 1874 by Margaret Oakes, a widow from the village of Penlow. Its lamp burned ' +
  'whale oil until 1911, when the keeper Tom Hallett replaced it with a paraffin burner of his own design.'

async function answer(
  session: Session,
  prompt: readonly TokenId[],
  options: Partial<GenerateOptions> = {},
): Promise<TokenId[]> {
  const tokens: TokenId[] = []
  for await (const { token } of session.generate(prompt, { sampling: greedy, maxNewTokens: 40, ...options }))
    tokens.push(token)
  return tokens
}

const open = (subject: TestModel) => subject.model.openSession({ maxLength: 320 })

describe('guesses from the text', () => {
  it('are counted where an answer quotes its prompt, and change no token of any answer', async () => {
    const prompts = [
      quoting,
      encode('Once upon a time, there was a'),
      encode('1, 2, 3, 1, 2, 3, 1, 2, 3, 1,'),
    ]
    for (const [index, prompt] of prompts.entries()) {
      await using session = await open(guessing)
      await using other = await open(plain)
      expect(await answer(session, prompt)).toEqual(await answer(other, prompt))
      expect(other.drafts!()).toEqual({ accepted: 0, rejected: 0 })
      if (index === 0) expect(session.drafts!().accepted).toBeGreaterThan(0)
    }
  })

  it('come from the prediction of a client, too', async () => {
    const prompt = encode('Tell me of the lighthouse.\n')
    await using other = await open(plain)
    const expected = await answer(other, prompt)
    // A new process has measured nothing yet that could advise against guesses.
    await using fresh = await openTestModel({ config: { sequences: 1 } })
    await using session = await open(fresh)
    expect(await answer(session, prompt, { prediction: expected })).toEqual(expected)
    expect(session.drafts!().accepted).toBeGreaterThan(0)
  })

  it('never make an answer longer than asked for', async () => {
    await using session = await open(guessing)
    for (const maxNewTokens of [1, 2, 7]) {
      await session.truncate(0)
      expect(await answer(session, quoting, { maxNewTokens })).toHaveLength(maxNewTokens)
    }
  })

  it('leave the tokens that were read in the cache, after the reader stopped anywhere', async () => {
    await using session = await open(guessing)
    const whole = await answer(session, quoting)
    for (const count of [2, 5, 12]) {
      await session.truncate(0)
      const begin: TokenId[] = []
      for await (const { token } of session.generate(quoting, { sampling: greedy }))
        if (begin.push(token) === count) break
      expect(session.tokens).toEqual([...quoting, ...whole.slice(0, count - 1)])
      const rest = await answer(session, begin.slice(-1), { maxNewTokens: 40 - count })
      expect([...begin, ...rest]).toEqual(whole)
    }
  })

  it('end with an abort', async () => {
    await using session = await open(guessing)
    const stop = new AbortController()
    const read: TokenId[] = []
    const reading = (async () => {
      for await (const { token } of session.generate(quoting, { sampling: greedy, signal: stop.signal }))
        if (read.push(token) === 6) stop.abort(new Error('changed my mind'))
    })()
    await expect(reading).rejects.toThrow('changed my mind')
    expect(session.tokens).toEqual([...quoting, ...read.slice(0, -1)])
    expect(await answer(session, read.slice(-1), { maxNewTokens: 3 })).toHaveLength(3)
  })
})
