import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  CapacityError,
  GenerationFailedError,
  greedy,
  InvalidRequestError,
  ModelUnavailableError,
  type Session,
} from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import type { LlamaModel } from '../llama-model.ts'
import { openTestModel } from '../testing/test-model.ts'

const posix = process.platform !== 'win32'

/** Reads tokens until an error is thrown, and returns the error; `onToken` is called for each token. */
async function failedAnswer(
  model: LlamaModel,
  session: Session,
  onToken: (count: number) => void,
): Promise<unknown> {
  let count = 0
  try {
    const prompt = model.tokenizer.encode('Once upon a time')
    for await (const _ of session.generate(prompt, { sampling: greedy })) onToken(++count)
    return undefined
  } catch (error) {
    return error
  }
}

/** Has the model begin an answer. */
async function beginAnswer(model: LlamaModel): Promise<void> {
  await using session = await model.openSession({ maxLength: 64 })
  for await (const _ of session.generate(model.tokenizer.encode('Hello'), { sampling: greedy })) break
}

/** Returns the first `count` tokens of a greedy answer. */
async function tokensOf(
  model: LlamaModel,
  session: Session,
  count: number,
  prompt = 'Once upon a time',
): Promise<number[]> {
  const tokens: number[] = []
  for await (const { token } of session.generate(model.tokenizer.encode(prompt), { sampling: greedy })) {
    tokens.push(token)
    if (tokens.length === count) break
  }
  return tokens
}

describe('an idle session whose process dies', () => {
  it('continues with the same tokens, and occupies no slot in the meantime', async () => {
    await using subject = await openTestModel()
    const { model } = subject
    await using calm = await model.openSession({ maxLength: 128 })
    const first = await tokensOf(model, calm, 4)
    const second = await tokensOf(model, calm, 12, ' and then')
    await using session = await model.openSession({ maxLength: 128 })
    expect(await tokensOf(model, session, 4)).toEqual(first)
    process.kill(model.pid!, 'SIGKILL')
    while ((await model.status()).state === 'ready') await sleep(10)
    await beginAnswer(model)
    const others = await Promise.all(Array.from({ length: 4 }, () => model.openSession({ maxLength: 64 })))
    await expect(tokensOf(model, session, 1)).rejects.toThrow(CapacityError)
    await others.pop()![Symbol.asyncDispose]()
    expect(await tokensOf(model, session, 12, ' and then')).toEqual(second)
    await Promise.all(others.map((other) => other[Symbol.asyncDispose]()))
  })
})

describe('when a grammar makes the choice of a token never end', () => {
  /** A character may be at each of very many positions, which llama.cpp compares with each other. */
  const endless = [
    ...Array.from({ length: 1500 }, (_, index) => `${index ? `r${index}` : 'root'} ::= "a"? r${index + 1}`),
    'r1500 ::= "b"',
  ].join('\n')

  it('its request fails with the reason, and the other answers continue with the same tokens', async () => {
    await using subject = await openTestModel({ config: { choiceTimeoutMs: 500 } })
    const { model } = subject
    await using calm = await model.openSession({ maxLength: 256 })
    const undisturbed = await tokensOf(model, calm, 120)

    await using session = await model.openSession({ maxLength: 256 })
    await using hostile = await model.openSession({ maxLength: 64 })
    await using atRest = await model.openSession({ maxLength: 64 })
    const answer = tokensOf(model, session, 120)
    const askFor = async (asking: Session) => {
      const options = { sampling: greedy, grammar: { type: 'gbnf', source: endless } } as const
      for await (const _ of asking.generate(model.tokenizer.encode('Hello'), options));
    }
    const attack = askFor(hostile)
    await expect(attack).rejects.toThrow(InvalidRequestError)
    // This request arrives before the old process has ended.
    const late = tokensOf(model, atRest, 3)
    await expect(attack).rejects.toThrow(/too complex: choosing one token took over 500 ms/)
    expect(await answer).toEqual(undisturbed)
    expect(await late).toEqual(undisturbed.slice(0, 3))
    // The session can be used again; the grammar is refused without a second hang.
    expect(await tokensOf(model, hostile, 3)).toHaveLength(3)
    const { pid } = model
    await expect(askFor(hostile)).rejects.toThrow(/too complex/)
    expect(model.pid).toBe(pid)
  })
})

describe('when the process of a model is killed', () => {
  it('its answers end with a clear error, and it answers again, however often', async () => {
    const restarts: number[] = []
    const counter = { add: (value: number) => void restarts.push(value) }
    const metrics = {
      counter: () => counter,
      gauge: () => ({ set: () => {} }),
      histogram: () => ({ observe: () => {} }),
    }
    await using subject = await openTestModel({ metrics })
    const { model } = subject
    for (let attempt = 1; attempt <= 2; attempt++) {
      const session = await model.openSession({ maxLength: 256 })
      const other = await model.openSession({ maxLength: 256 })
      const undisturbed = await tokensOf(model, other, 3)
      await other.truncate(0)
      const kill = (count: number) => void (count === 5 && process.kill(model.pid!, 'SIGKILL'))
      const error = await failedAnswer(model, session, kill)
      expect(error).toBeInstanceOf(GenerationFailedError)
      expect(String(error)).toMatch(/process of the model 'SmolLM2' was killed .* Try again in a moment/)
      expect(await model.status()).toMatchObject({ state: 'degraded' })
      await beginAnswer(model)
      expect(await model.status()).toEqual({ state: 'ready' })

      // An idle session continues in the new process with its tokens.
      expect(await tokensOf(model, other, 3)).toEqual(undisturbed)
      await session[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
      const sessions = await Promise.all(
        Array.from({ length: 4 }, () => model.openSession({ maxLength: 64 })),
      )
      await Promise.all(sessions.map((open) => open[Symbol.asyncDispose]()))
      expect(restarts).toHaveLength(attempt)
    }
  })

  it('requests that it can hardly have begun are served by the next process', async () => {
    await using subject = await openTestModel()
    const { model } = subject
    await using session = await model.openSession({ maxLength: 128 })
    await using scored = await model.openSession({ maxLength: 128 })
    await using cut = await model.openSession({ maxLength: 128 })
    const undisturbed = await tokensOf(model, session, 6)
    await session.truncate(0)
    await tokensOf(model, cut, 6)
    const begun = [...cut.tokens]
    const scores = await scored.score!([504, 3575])
    await scored.truncate(0)
    process.kill(model.pid!, 'SIGKILL')
    const [tokens, again, embedding] = await Promise.all([
      tokensOf(model, session, 6),
      scored.score!([504, 3575]),
      model.embed([504, 3575]),
      cut.truncate(cut.tokens.length - 2),
    ])
    expect(tokens).toEqual(undisturbed)
    expect(again).toEqual(scores)
    expect(embedding.length).toBeGreaterThan(0)
    expect(cut.tokens).toEqual(begun.slice(0, -2))
  })

  it('and dies of a request again, the request fails', async () => {
    await using subject = await openTestModel()
    const { model } = subject
    await using session = await model.openSession({ maxLength: 128 })
    const { pid } = model
    process.kill(pid!, 'SIGKILL')
    const answer = tokensOf(model, session, 6)
    answer.catch(() => {})
    while (model.pid === pid || (await model.status()).state !== 'ready') await sleep(1)
    process.kill(model.pid!, 'SIGKILL')
    await expect(answer).rejects.toThrow(GenerationFailedError)
  })

  it('too often, the model becomes unavailable and states the reason', async () => {
    await using subject = await openTestModel({ config: { maxRestarts: 1 } })
    const { model } = subject
    for (let death = 0; death < 2; death++) {
      const session = await model.openSession({ maxLength: 64 })
      await failedAnswer(model, session, (count) => void (count === 1 && process.kill(model.pid!, 'SIGKILL')))
      if (death === 0) await beginAnswer(model)
    }
    const failure = await model.openSession({ maxLength: 64 }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ModelUnavailableError)
    expect(String(failure)).toMatch(/died more than 1 times .* attempt is possible after a minute/)
    expect(await model.status()).toMatchObject({
      state: 'unavailable',
      detail: expect.stringContaining('died') as string,
    })
  })
})

describe.runIf(posix)('when the process of a model hangs', () => {
  it('the status says so long before the process is ended, waits can be aborted, and closing does not wait', async () => {
    await using subject = await openTestModel({ config: { unresponsiveTimeoutMs: 600_000 } })
    const { model } = subject
    const session = await model.openSession({ maxLength: 256 })
    const options = { sampling: greedy }
    const answer = session.generate(model.tokenizer.encode('Once'), options)[Symbol.asyncIterator]()
    await answer.next()
    process.kill(model.pid!, 'SIGSTOP')
    const state = async () => (await model.status()).state
    await expect.poll(state, { timeout: 20_000 }).toBe('degraded')
    expect((await model.status()).detail).toMatch(/process has not answered for \d+ s/)
    const other = await model.openSession({ maxLength: 64 })
    const stop = new AbortController()
    const asked = other.generate([1], { ...options, signal: stop.signal })
    const aborted = asked[Symbol.asyncIterator]().next()
    stop.abort(new Error('the client has gone'))
    await expect(aborted).rejects.toThrow('the client has gone')

    process.kill(model.pid!, 'SIGCONT')
    await expect.poll(state, { timeout: 20_000 }).toBe('ready')
    expect((await answer.next()).done).toBe(false)
    process.kill(model.pid!, 'SIGSTOP')
    await model[Symbol.asyncDispose]()
    await expect(answer.next()).rejects.toThrow(/unloaded|closed/)
  })

  it('it is ended and restarted', async () => {
    await using subject = await openTestModel({ config: { unresponsiveTimeoutMs: 1000 } })
    const { model } = subject
    const session = await model.openSession({ maxLength: 256 })
    const error = await failedAnswer(
      model,
      session,
      (count) => void (count === 3 && process.kill(model.pid!, 'SIGSTOP')),
    )
    expect(String(error)).toMatch(/had not answered for 1000 ms/)
    await beginAnswer(model)
    expect(await model.status()).toEqual({ state: 'ready' })
  })
})

describe('when the gateway is killed', () => {
  it('the processes of its models end, too', async () => {
    const script = fileURLToPath(new URL('../testing/hold-model.ts', import.meta.url))
    const parent = spawn(process.execPath, ['--conditions=petals-chat-source', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(String(line))
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
