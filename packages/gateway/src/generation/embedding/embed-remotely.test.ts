import { ModelUnavailableError, type RemoteModel } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Gateway } from '../../gateway.ts'
import { startGateway, TestRemote } from '../remote/fixtures/test-remote.ts'

let big: TestRemote
let gateway: Gateway
const start = (config: object = {}) => void (gateway = startGateway([big], config))

beforeEach(() => {
  big = new TestRemote('big', { maxAnswers: 1, fallback: 'local' })
  start()
})
afterEach(() => gateway[Symbol.asyncDispose]())

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests inspect any response
type Body = any
const send = (fields: object, path = '/v1/embeddings', more: RequestInit = {}) =>
  gateway.app.request(path, {
    method: 'POST',
    body: JSON.stringify({ model: 'big', ...fields }),
    ...more,
  })
const post = async (...request: Parameters<typeof send>): Promise<Body> => (await send(...request)).json()
const metrics = async () => (await gateway.app.request('/metrics')).text()

describe('embeddings of another server', () => {
  it('come back with what the server counted, as floats or base64', async () => {
    expect(await post({ input: ['a', 'b'], dimensions: 2, user: 'alice' })).toMatchObject({
      object: 'list',
      model: 'big',
      data: [
        { index: 0, embedding: [0, 0.5] },
        { index: 1, embedding: [1, 0.5] },
      ],
      usage: { prompt_tokens: 10, total_tokens: 10 },
    })
    const { data } = await post({ input: [[1, 2], [3]], encoding_format: 'base64' })
    const bytes = Buffer.from(data[1].embedding, 'base64')
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([1, 0.5])
    expect(big.embedded).toMatchObject([
      { input: ['a', 'b'], dimensions: 2 },
      { input: [[1, 2], [3]], dimensions: undefined },
    ])
    expect(big.embedded[0]).not.toHaveProperty('user')
    expect(await metrics()).toMatch(/caller_tokens_total\{caller="anonymous",model="big",kind="prompt"\} 20/)
  })

  it('come back through the API of Ollama', async () => {
    expect(await post({ input: ['a', 'b'] }, '/api/embed')).toMatchObject({
      model: 'big',
      embeddings: [
        [0, 0.5],
        [1, 0.5],
      ],
      prompt_eval_count: 10,
    })
    expect(await post({ prompt: 'a' }, '/api/embeddings')).toEqual({ embedding: [0, 0.5] })
    expect(big.embedded.map(({ input }) => input)).toEqual([['a', 'b'], ['a']])
  })

  it('are asked for in parts, in their order', async () => {
    const input = Array.from({ length: 300 }, (_, place) => `text ${place}`)
    const { data, usage } = await post({ input })
    expect(big.embedded.flatMap(({ input: part }) => part)).toEqual(input)
    expect(big.embedded.map(({ input: part }) => part.length)).toEqual([128, 128, 44])
    expect(data.map(({ index }: Body) => index)).toEqual(input.map((_, place) => place))
    expect([data[128].embedding, usage.prompt_tokens]).toEqual([[0, 0.5], 30])
  })

  it('must have the dimensions that were asked for', async () => {
    expect(await post({ input: 'a', dimensions: 3 })).toMatchObject({
      error: { param: 'dimensions', message: expect.stringContaining('have 2 dimensions, not 3') as string },
    })
  })

  it('are refused for a text that can not fit; with truncate, the server decides', async () => {
    const long = 'x'.repeat(9_000)
    const error = { code: 'context_length_exceeded' }
    expect(await post({ input: ['a', long] })).toMatchObject({ error })
    expect(await post({ input: Array<number>(1001).fill(1) })).toMatchObject({ error })
    expect(big.embedded).toEqual([])
    expect(await post({ input: long }, '/api/embed')).toHaveProperty('embeddings')
    expect(await post({ input: long, truncate: false }, '/api/embed')).toHaveProperty('error')
  })

  it('never come from the fallback: its vectors would be others', async () => {
    big.embeddings = () => Promise.reject(new ModelUnavailableError('The server is down.'))
    const response = await send({ input: 'a' })
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ error: { message: 'The server is down.' } })
    expect(await metrics()).not.toMatch(/caller_tokens_total\{.*model="big"/)
  })

  it('wait for their turn among the answers, and leave the queue if their client goes', async () => {
    const gate = Promise.withResolvers<void>()
    const { embeddings } = big
    big.embeddings = async (request) => {
      await gate.promise
      return embeddings(request)
    }
    const first = post({ input: 'a' })
    await expect.poll(() => big.embedded.length).toBe(1)
    const leaving = new AbortController()
    const gone = send({ input: 'b' }, '/v1/embeddings', { signal: leaving.signal })
    const chat = post({ messages: [{ role: 'user', content: 'Hello' }] }, '/v1/chat/completions')
    const waiting = async () => (await metrics()).match(/queue_length\{model="big"\} (\d)/)?.[1]
    await expect.poll(waiting).toBe('2')
    leaving.abort()
    gate.resolve()
    expect(await first).toHaveProperty('data')
    expect(await chat).toHaveProperty('choices')
    await Promise.resolve(gone).catch(() => {})
    await expect.poll(waiting).toBe('0')
    expect(big.embedded).toHaveLength(1)
  })

  it('are stopped at the server when the client goes', async () => {
    big.embeddings = () =>
      new Promise((_, reject) => {
        const { signal } = big.embedded[0]!
        signal!.addEventListener('abort', () => reject(signal!.reason as Error))
      })
    const leaving = new AbortController()
    const gone = Promise.resolve(send({ input: 'a' }, '/v1/embeddings', { signal: leaving.signal }))
    await expect.poll(() => big.embedded.length).toBe(1)
    leaving.abort()
    await gone.catch(() => {})
    await expect
      .poll(async () => (await metrics()).includes('sessions{model="big",state="leased"} 0'))
      .toBe(true)
  })

  it('count against the limits of their caller', async () => {
    await gateway[Symbol.asyncDispose]()
    start({ limits: { perAddress: { tokensPerMinute: 15 } } })
    expect(await post({ input: 'x'.repeat(40) })).toHaveProperty('data')
    expect(await post({ input: 'x'.repeat(40) })).toMatchObject({ error: { code: 'rate_limit_exceeded' } })
    expect(big.embedded).toHaveLength(1)
  })

  it('that have been here before are refused: servers that ask each other in a circle would never end', async () => {
    await post({ input: 'a' })
    const { via } = big.embedded[0]!
    expect(via).toMatch(/^1\.1 petals-chat-[0-9a-f]{8}$/)
    const again = await post({ input: 'a' }, '/v1/embeddings', { headers: { via: via! } })
    expect(again).toMatchObject({
      error: { message: expect.stringContaining('ask each other forever') as string },
    })
  })

  it('are refused for a model that has no such call', async () => {
    const { id, contextLength, status, tokenize, answer } = big
    const mute: RemoteModel = {
      ...{ id, contextLength, status, tokenize, answer },
      [Symbol.asyncDispose]: async () => {},
    }
    await gateway[Symbol.asyncDispose]()
    gateway = startGateway([mute])
    expect(await post({ input: 'a' })).toMatchObject({ error: { param: 'model' } })
  })
})

describe('the list of models', () => {
  it('claims of the model of another server only what is known', async () => {
    const { data } = (await (await gateway.app.request('/v1/models')).json()) as Body
    const [remote, local] = data.map(({ capabilities }: Body) => capabilities)
    expect(remote).toEqual({
      completion_fim: false,
      fine_tuning: false,
      vision: false,
      classification: false,
    })
    expect(local).toMatchObject({ completion_chat: true, function_calling: true })
  })
})
