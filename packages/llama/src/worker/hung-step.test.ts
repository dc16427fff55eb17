import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { GenerationFailedError, greedy, type Session } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LlamaModel } from '../llama-model.ts'
import { openTestModel, type TestModel } from '../testing/test-model.ts'

let folder: string
let hangOnce: string
let subject: TestModel

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-hang-'))
  hangOnce = path.join(folder, 'hang')
  vi.stubEnv('HANG_ONCE', hangOnce)
  vi.stubEnv(
    'NODE_OPTIONS',
    `--import=${JSON.stringify(fileURLToPath(new URL('../testing/hang-native.ts', import.meta.url)))}`,
  )
  subject = await openTestModel()
})

afterAll(async () => {
  await subject[Symbol.asyncDispose]()
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

/** Returns the first `count` tokens of a greedy answer; `onToken` is called after each. */
async function tokensOf(
  model: LlamaModel,
  session: Session,
  count: number,
  onToken?: (count: number) => Promise<void>,
): Promise<number[]> {
  const tokens: number[] = []
  const prompt = model.tokenizer.encode('Once upon a time')
  for await (const { token } of session.generate(prompt, { sampling: greedy })) {
    tokens.push(token)
    await onToken?.(tokens.length)
    if (tokens.length === count) break
  }
  return tokens
}

describe.each(['decode', 'sample'])('when a step of one token hangs (%s)', (what) => {
  it('its process is replaced long before the limit of the config, with a clear error and the same tokens after it', async () => {
    const { model } = subject
    const undisturbed = await (async () => {
      await using calm = await model.openSession({ maxLength: 256 })
      return await tokensOf(model, calm, 12)
    })()
    const { pid } = model
    await using session = await model.openSession({ maxLength: 256 })
    const answer = tokensOf(model, session, 200, async (count) => {
      if (count === 5) await writeFile(hangOnce, what)
    })
    await expect(answer).rejects.toThrow(GenerationFailedError)
    await expect(answer).rejects.toThrow(/process of the model 'SmolLM2' was ended: .*Try again in a moment/)
    await using next = await model.openSession({ maxLength: 256 })
    expect(await tokensOf(model, next, 12)).toEqual(undisturbed)
    expect(model.pid).not.toBe(pid)
  }, 60_000)
})
