import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ContextLengthError,
  GenerationFailedError,
  MissingBlocksError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { engineComplianceTests } from '@petals-chat/engine/testing'
import { ConnectionLostError } from '../errors.ts'
import {
  open,
  take,
  logitsAfter,
  prompt,
  ToyModel,
  closeToyLayers,
  openToyLayers,
} from '../fixtures/toy-session.ts'

beforeAll(openToyLayers)
afterAll(closeToyLayers)

engineComplianceTests(
  'a session over toy blocks',
  async () => ({ model: new ToyModel(), async [Symbol.asyncDispose]() {} }),
  { describe, it, beforeAll, afterAll },
  { logprobTolerance: 0.002 },
)

describe('PetalsSession', () => {
  it('prefills in one step, then decodes token by token, with the results of one run over all tokens', async () => {
    const { session, inference } = await open()
    const ids = await take(session, prompt, 6)
    expect(inference.steps).toEqual([prompt.length, 1, 1, 1, 1, 1])
    for (let i = 0; i < ids.length; i++) {
      const logits = await logitsAfter([...prompt, ...ids.slice(0, i)])
      expect(ids[i]).toBe(logits.indexOf(Math.max(...logits)))
    }
    expect(session.tokens).toEqual([...prompt, ...ids.slice(0, -1)])
  })

  it('reports log probabilities of the whole vocabulary', async () => {
    const { session } = await open()
    const logits = await logitsAfter(prompt)
    const logSum = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
    for await (const { token, logprob, topLogprobs } of session.generate(prompt, {
      sampling: { temperature: 0 },
      topLogprobs: 3,
    })) {
      expect(Math.abs(logprob! - (logits[token]! - logSum))).toBeLessThan(0.002)
      const best = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!).slice(0, 3)
      expect(topLogprobs!.map((each) => each.token)).toEqual(best)
      break
    }
  })

  it('scores long prompts in several steps, each token by the tokens before it', async () => {
    const { session, inference } = await open(512)
    const tokens = Array.from({ length: 300 }, (_, i) => (i * 37) % 256)
    const scores = await session.score!(tokens)
    expect(inference.steps).toEqual([256, 44])
    expect(scores.length).toBe(300)
    for (const index of [1, 17, 255, 256, 257, 299]) {
      const logits = await logitsAfter(tokens.slice(0, index))
      const logSum = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
      expect(Math.abs(scores[index]!.logprob! - (logits[tokens[index]!]! - logSum))).toBeLessThan(0.002)
    }
  })

  it('refuses to score beyond its length, and keeps its tokens', async () => {
    const { session } = await open(20)
    await session.score!(prompt.slice(0, 10))
    await expect(session.score!(prompt.slice(0, 11))).rejects.toThrow(ContextLengthError)
    expect(session.tokens).toEqual(prompt.slice(0, 10))
  })

  it('continues after a failed step as if it had not happened', async () => {
    const { session, inference } = await open()
    const expected = await take((await open()).session, prompt, 6)
    const first = await take(session, prompt, 3)
    inference.fault = () => {
      throw new ConnectionLostError('The server went away.')
    }
    const failed = take(session, first.slice(-1), 1)
    await expect(failed).rejects.toThrow(GenerationFailedError)
    await expect(failed).rejects.toThrow(/Generation with toy failed\. The server went away\. .*swarm status/)
    inference.fault = undefined
    expect(await take(session, first.slice(-1), 3)).toEqual(expected.slice(3))
  })

  it('passes engine errors through unchanged', async () => {
    const { session, inference } = await open()
    const missing = new MissingBlocksError([2], 'No server holds block 2.')
    inference.fault = () => {
      throw missing
    }
    await expect(take(session, prompt, 1)).rejects.toBe(missing)
  })

  it('hides the message of an unexpected error', async () => {
    const { session, inference } = await open()
    inference.fault = () => {
      throw new TypeError('secret of /home/user')
    }
    await expect(take(session, prompt, 1)).rejects.toThrow(/^(?!.*secret).*This program has a fault/)
  })

  it('reports hidden states that are not finite', async () => {
    const { session, inference } = await open()
    inference.fault = ({ shape, data }) => ({ shape, data: data.map(() => NaN) })
    await expect(take(session, prompt, 1)).rejects.toThrow(/NaN or infinite/)
  })

  it('closes its inference session once', async () => {
    const { model, session, inference } = await open()
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    expect(model.open).toBe(0)
    expect(inference.closed).toBe(true)
    await expect(take(session, prompt, 1)).rejects.toThrow(ModelUnavailableError)
  })

  describe('prewarming', () => {
    it('opens for the expected tokens, within the length of the session', async () => {
      const { session, inference } = await open(512)
      await session.prewarm!()
      await session.prewarm!({ promptLength: 40 })
      await session.prewarm!({ promptLength: 4000 })
      expect(inference.opened).toEqual([512, 40, 512])
    })

    it('makes an answer wait for a running prewarm', async () => {
      const { session, inference } = await open()
      const { promise, resolve } = Promise.withResolvers<void>()
      inference.opening = promise
      const opening = session.prewarm!()
      const answer = take(session, prompt, 2)
      await sleep(20)
      expect(inference.steps).toEqual([])
      resolve()
      await opening
      expect((await answer).length).toBe(2)
      expect(inference.aborted).toBeUndefined()
    })

    it('is cancelled if more tokens come than it opened for', async () => {
      const { session, inference } = await open()
      inference.opening = Promise.withResolvers<void>().promise
      const opening = session.prewarm!({ promptLength: 3 })
      expect((await take(session, prompt, 2)).length).toBe(2)
      await opening
      expect(inference.aborted).toBeInstanceOf(Error)
    })

    it('rejects with the failure, and the answer tries again', async () => {
      const { session, inference } = await open()
      inference.opening = sleep(10).then(() => {
        throw new ConnectionLostError('The server went away.')
      })
      const opening = expect(session.prewarm!()).rejects.toThrow(GenerationFailedError)
      expect((await take(session, prompt, 2)).length).toBe(2)
      await opening
    })

    it('ends with the session, and by its signal', async () => {
      const { session, inference } = await open()
      inference.opening = Promise.withResolvers<void>().promise
      const reason = new Error('the user left')
      await expect(session.prewarm!({ signal: AbortSignal.timeout(5) })).rejects.toThrow(/timeout/)
      await expect(session.prewarm!({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const opening = session.prewarm!()
      await session[Symbol.asyncDispose]()
      await opening
      await expect(session.prewarm!()).rejects.toThrow(ModelUnavailableError)
    })
  })

  it('repeats an answer with the same seed', async () => {
    const sampling = { temperature: 1.2, topP: 0.9, repetitionPenalty: 1.1, seed: 99 }
    const run = async (): Promise<number[]> => {
      const { session } = await open()
      const ids: number[] = []
      for await (const { token } of session.generate(prompt, { sampling })) if (ids.push(token) === 20) break
      return ids
    }
    const ids = await run()
    expect(await run()).toEqual(ids)
    expect(new Set(ids).size).toBeGreaterThan(3)
  })
})
