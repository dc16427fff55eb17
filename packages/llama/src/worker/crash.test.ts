import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { GenerationFailedError, greedy, ModelUnavailableError, type Session } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import type { LlamaModel } from '../llama-model.ts'
import { openTestModel } from '../testing/test-model.ts'

const posix = process.platform !== 'win32'

/** Reads tokens until something is thrown, which it gives back; `onToken` hears of each one. */
async function brokenAnswer(
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

/** Milliseconds until the model answers again. */
async function timeToAnswer(model: LlamaModel): Promise<number> {
  const startedAt = performance.now()
  await using session = await model.openSession({ maxLength: 64 })
  for await (const _ of session.generate(model.tokenizer.encode('Hello'), { sampling: greedy })) break
  return performance.now() - startedAt
}

describe('when the process of a model is killed', () => {
  it('its answers end with an error in words, and it is back within 2 s', async () => {
    const restarts: number[] = []
    const counter = { add: (value: number) => void restarts.push(value) }
    const metrics = {
      counter: () => counter,
      gauge: () => ({ set: () => {} }),
      histogram: () => ({ observe: () => {} }),
    }
    const startedAt = performance.now()
    await using subject = await openTestModel({ metrics })
    // On a machine that is too busy to load a model in 1.3 s, nothing can bring it back in 2.
    const limitMs = Math.max(2000, (performance.now() - startedAt) * 1.5)
    const { model } = subject
    const times: number[] = []
    // It may be slow once.
    for (let attempt = 0; attempt < 3; attempt++) {
      const session = await model.openSession({ maxLength: 256 })
      const other = await model.openSession({ maxLength: 256 })
      const kill = (count: number) => void (count === 5 && process.kill(model.pid!, 'SIGKILL'))
      const error = await brokenAnswer(model, session, kill)
      expect(error).toBeInstanceOf(GenerationFailedError)
      expect(String(error)).toMatch(/process of the model 'SmolLM2' was killed .* Ask again in a moment/)
      expect(await model.status()).toMatchObject({ state: 'degraded' })
      times.push(await timeToAnswer(model))
      expect(await model.status()).toEqual({ state: 'ready' })

      // Sessions of the dead process are lost, say so, and cost no place.
      const lost = await brokenAnswer(model, other, () => {})
      expect(lost).toBeInstanceOf(GenerationFailedError)
      expect(String(lost)).toMatch(/session is lost/)
      await session[Symbol.asyncDispose]()
      await other[Symbol.asyncDispose]()
      const sessions = await Promise.all(
        Array.from({ length: 4 }, () => model.openSession({ maxLength: 64 })),
      )
      await Promise.all(sessions.map((open) => open[Symbol.asyncDispose]()))
      if (times.at(-1)! < limitMs) break
    }
    expect(Math.min(...times)).toBeLessThan(limitMs)
    expect(restarts).toHaveLength(times.length)
  })

  it('too often, the model is unavailable and says why', async () => {
    await using subject = await openTestModel({ config: { maxRestarts: 1 } })
    const { model } = subject
    for (let death = 0; death < 2; death++) {
      const session = await model.openSession({ maxLength: 64 })
      await brokenAnswer(model, session, (count) => void (count === 1 && process.kill(model.pid!, 'SIGKILL')))
      if (death === 0) await timeToAnswer(model)
    }
    const failure = await model.openSession({ maxLength: 64 }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ModelUnavailableError)
    expect(String(failure)).toMatch(/died more than 1 times .* tried again after a minute/)
    expect(await model.status()).toMatchObject({
      state: 'unavailable',
      detail: expect.stringContaining('died') as string,
    })
  })
})

describe.runIf(posix)('when the process of a model hangs', () => {
  it('it is ended and started again', async () => {
    await using subject = await openTestModel({ config: { unresponsiveTimeoutMs: 1000 } })
    const { model } = subject
    const session = await model.openSession({ maxLength: 256 })
    const error = await brokenAnswer(
      model,
      session,
      (count) => void (count === 3 && process.kill(model.pid!, 'SIGSTOP')),
    )
    expect(String(error)).toMatch(/had not answered for 1000 ms/)
    expect(await timeToAnswer(model)).toBeLessThan(10_000)
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
    for (let tries = 0; tries < 50 && isAlive(pid); tries++) await sleep(100)
    expect(isAlive(pid)).toBe(false)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
