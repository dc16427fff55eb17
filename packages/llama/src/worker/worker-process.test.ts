import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import { llamaConfigSchema } from '../config.ts'
import { readGgufInfo } from '../gguf/read-gguf.ts'
import type { Command, GenerateCommand, Message } from '../protocol.ts'
import { WorkerProcess } from './worker-process.ts'

const messages: Message[] = []
let listener: (() => void) | undefined
const worker = new WorkerProcess({
  onMessage: (message) => {
    messages.push(message)
    listener?.()
  },
  onExit: () => {},
  onOutput: () => {},
})

/** Resolves to the first result of `find`, which is called again after each message. */
async function until<T>(find: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = find()
    if (found !== undefined && found !== false) return found
    await new Promise<void>((resolve) => (listener = resolve))
  }
}

const replyTo = (request: number) =>
  until(() => messages.find((message) => 'request' in message && message.request === request))

const tokensOf = (request: number): number =>
  messages
    .flatMap((message) => (message.type === 'tokens' ? message.tokens : []))
    .filter((token) => token.request === request).length

beforeAll(async () => {
  const path = await defaultModelPath()
  const config = llamaConfigSchema.parse({ threads: 1, sequences: 2, contextLength: 256 })
  worker.send({ type: 'prepare', config, cores: 1 })
  worker.send({ type: 'load', path, facts: await readGgufInfo(path) })
  await until(() => messages.find(({ type }) => type === 'ready'))
})
afterAll(() => worker.kill('was ended'))

const generate: GenerateCommand = {
  type: 'generate',
  answered: 0,
  request: 0,
  slot: 0,
  tokens: [504, 3575],
  sampling: { temperature: 0 },
  topLogprobs: undefined,
  grammar: undefined,
  maxLength: 256,
  prediction: [],
  credit: 4,
}

describe('the process of a model', () => {
  it('checks every number before it reaches native code, and survives', async () => {
    const bad: ReadonlyArray<Partial<GenerateCommand>> = [
      { slot: 2 },
      { slot: -1 },
      { slot: 0.5 },
      { tokens: [] },
      { tokens: [-1] },
      { tokens: [49_152] },
      { tokens: [NaN] },
      { tokens: Array<number>(257).fill(1) },
      { maxLength: 257 },
      { maxLength: 0 },
      { credit: -1 },
      { prediction: [49_152] },
      { topLogprobs: 21 },
      { sampling: { temperature: NaN } },
      { sampling: { temperature: -1 } },
      { sampling: { temperature: 1, topK: 0 } },
      { sampling: { temperature: 1, topP: Infinity } },
      { sampling: { temperature: 1, seed: 2 ** 32 } },
      { sampling: { temperature: 1, logitBias: new Map([[50_000, 1]]) } },
      { sampling: { temperature: 1, logitBias: new Map([[1, Infinity]]) } },
      { grammar: 'x'.repeat(300_000) },
      { grammar: 'root ::= nothing' },
    ]
    for (const [index, change] of bad.entries()) {
      const request = 100 + index
      worker.send({ ...generate, ...change, request })
      expect(await replyTo(request), JSON.stringify(change).slice(0, 80)).toMatchObject({ type: 'failed' })
    }
    const others: readonly Command[] = [
      { type: 'truncate', request: 200, slot: 0, length: 5 },
      { type: 'truncate', request: 201, slot: 9, length: 0 },
      { type: 'stop', request: 202, slot: 0, keep: -1 },
      { type: 'clear', request: 203, slot: 7 },
      { type: 'embed', request: 204, tokens: [2 ** 40] },
      { type: 'score', request: 205, slot: 0, tokens: [1, -5], topLogprobs: 0 },
    ]
    for (const command of others) {
      worker.send(command)
      expect(await replyTo((command as { request: number }).request)).toMatchObject({ type: 'failed' })
    }
  })

  it('sends no more tokens than it has credit for', async () => {
    worker.send({ ...generate, request: 1 })
    await until(() => tokensOf(1) >= 4)
    await sleep(300)
    expect(tokensOf(1)).toBe(4)
    worker.send({ type: 'credit', request: 1, count: 2 })
    await until(() => tokensOf(1) >= 6)
    await sleep(300)
    expect(tokensOf(1)).toBe(6)
  })

  it('stops on request, and truncates the slot to the tokens that were read', async () => {
    worker.send({ type: 'stop', request: 2, slot: 0, keep: 3 })
    expect(await replyTo(2)).toEqual({ type: 'done', request: 2 })
    expect(await replyTo(1)).toEqual({ type: 'done', request: 1 })
    worker.send({ type: 'truncate', request: 3, slot: 0, length: 4 })
    expect(await replyTo(3)).toMatchObject({
      type: 'failed',
      text: expect.stringContaining('from 0 to 3') as string,
    })
  })
})
