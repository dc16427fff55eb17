import {
  CapacityError,
  ContextLengthError,
  InvalidRequestError,
  ModelUnavailableError,
  type RemoteEmbeddingRequest,
  type RemoteEmbeddings,
} from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openModel, type TestModel } from '../fixtures/test-model.ts'
import { json, TestServer } from '../fixtures/test-server.ts'

const two: RemoteEmbeddingRequest = { input: ['one', 'two'] }
const vector = (index: number, embedding: unknown = [index, 1]) => ({ object: 'embedding', index, embedding })
const list = (data: readonly unknown[], tokens: number | null = 7) => ({
  object: 'list',
  data,
  ...(tokens !== null && { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
})
const both = list([vector(0), vector(1)])
const base64 = (...numbers: readonly number[]) =>
  Buffer.from(Float32Array.from(numbers).buffer).toString('base64')

const embed = (
  { model }: TestModel,
  request = two,
  options: { readonly signal?: AbortSignal; readonly via?: string } = {},
): Promise<RemoteEmbeddings> => model.embed!(request, options)

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  server.answer = (response) => json(response, 200, both)
})
afterEach(() => server.close())

describe('embeddings of a server', () => {
  it('are asked for by texts or token ids, and come back as they are, with the usage', async () => {
    await using opened = await openModel({ baseUrl: server.baseUrl, model: 'org/big', apiKey: 'key' })
    expect(await embed(opened, { ...two, dimensions: 2 }, { via: '1.1 me' })).toEqual({
      vectors: [new Float32Array([0, 1]), new Float32Array([1, 1])],
      usage: { promptTokens: 7, isEstimated: false },
    })
    await embed(opened, { input: [[1, 2], [3]] })
    const [first, second] = server.asked
    expect(first).toMatchObject({
      path: '/v1/embeddings',
      headers: { authorization: 'Bearer key', via: '1.1 me' },
    })
    expect(first!.body).toEqual({ model: 'org/big', input: ['one', 'two'], dimensions: 2 })
    expect(second!.body).toEqual({ model: 'org/big', input: [[1, 2], [3]] })
  })

  it('may be base64, in another order, without numbers, and without usage', async () => {
    await using opened = await openModel({ baseUrl: server.baseUrl, omit: ['dimensions'] })
    server.answer = (response) =>
      json(response, 200, list([vector(1, base64(0.5, -2)), vector(0, base64(3, 4))], null))
    expect(await embed(opened, { input: ['a', 'x'.repeat(40)], dimensions: 2 })).toEqual({
      vectors: [new Float32Array([3, 4]), new Float32Array([0.5, -2])],
      usage: { promptTokens: 11, isEstimated: true },
    })
    expect(server.asked[0]!.body).not.toHaveProperty('dimensions')
    server.answer = (response) => json(response, 200, { data: [{ embedding: [5] }, { embedding: [6] }] })
    expect((await embed(opened)).vectors).toEqual([new Float32Array([5]), new Float32Array([6])])
  })

  it('come from the server with the fewest requests, and from another one if that fails', async () => {
    await using other = await TestServer.start()
    const gate = Promise.withResolvers<void>()
    other.answer = server.answer
    server.answer = async (response) => {
      await gate.promise
      json(response, 503, {})
    }
    const baseUrls = [server.baseUrl, other.baseUrl]
    await using opened = await openModel({ baseUrls, healthIntervalMs: 60_000 })
    const waiting = embed(opened)
    await expect.poll(() => server.asked.length).toBe(1)
    for (let count = 0; count < 3; count++) await embed(opened)
    expect([server.asked.length, other.asked.length]).toEqual([1, 3])
    gate.resolve()
    expect((await waiting).vectors).toHaveLength(2)
    expect(other.asked).toHaveLength(4)
  })

  it('are asked for again after a moment, but not of a fallback', async () => {
    server.answer = (response) =>
      server.asked.length < 3 ? json(response, 503, {}, { 'retry-after-ms': '1' }) : json(response, 200, both)
    await using opened = await openModel({ baseUrl: server.baseUrl, fallback: 'other' })
    expect((await embed(opened)).vectors).toHaveLength(2)
    expect(server.asked).toHaveLength(3)
  })

  it('are stopped at the server when the caller stops, before and after the headers', async () => {
    await using opened = await openModel({ baseUrl: server.baseUrl })
    for (const begin of [
      () => {},
      (response: Parameters<TestServer['answer']>[0]) => response.writeHead(200).write('{'),
    ]) {
      const { cut } = server
      const asked = server.asked.length
      server.answer = (response) => void begin(response)
      const stopping = new AbortController()
      const reason = new Error('stop')
      const result = embed(opened, two, { signal: stopping.signal })
      await expect.poll(() => server.asked.length).toBe(asked + 1)
      stopping.abort(reason)
      await expect(result).rejects.toBe(reason)
      await expect.poll(() => server.cut).toBe(cut + 1)
    }
  })
})

describe('a server without embeddings', () => {
  it.each([
    [404, { detail: 'Not Found' }, 'makes no embeddings: Not Found.'],
    [405, {}, 'makes no embeddings.'],
    [
      501,
      { error: { message: 'Start it with `--embeddings`' } },
      'makes no embeddings: Start it with `--embeddings`.',
    ],
    [404, { error: { message: "'big' does not support embeddings" } }, "makes no embeddings: 'big' does not"],
  ])('(%i %j) is named', async (status, body, words) => {
    server.answer = (response) => json(response, status, body)
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 3 })
    const error = (await embed(opened).catch((thrown: unknown) => thrown)) as InvalidRequestError
    expect(error).toBeInstanceOf(InvalidRequestError)
    expect(error).toMatchObject({ param: 'model', reason: 'unsupported_value' })
    expect(error.message).toContain(`The server of the model 'big' (127.0.0.1:${server.port}) ${words}`)
    expect(server.asked).toHaveLength(1)
    expect(await opened.model.status()).toEqual({ state: 'ready' })
  })

  it('leaves them to another one that has them', async () => {
    await using other = await TestServer.start()
    other.answer = server.answer
    server.answer = (response) => json(response, 501, {})
    await using opened = await openModel({ baseUrls: [server.baseUrl, other.baseUrl] })
    for (let count = 0; count < 2; count++) expect((await embed(opened)).vectors).toHaveLength(2)
  })
})

describe('a server that fails at embeddings', () => {
  const numbers = Array.from({ length: 70_000 }, () => 0)
  const sends =
    (status: number, body: unknown, headers = {}): TestServer['answer'] =>
    (response) =>
      json(response, status, body, headers)
  const failures: readonly [name: string, TestServer['answer'], type: unknown, words: RegExp][] = [
    [
      'with another model',
      sends(404, { error: { message: 'The model `big` does not exist.' } }),
      ModelUnavailableError,
      /does not know the address or the model/,
    ],
    [
      'with 400',
      sends(400, { error: { message: 'dimensions: too many' } }),
      InvalidRequestError,
      /refuses the request: dimensions: too many\./,
    ],
    [
      'with too long a text',
      sends(400, { message: 'maximum context length is 512 tokens, but 600 were sent' }),
      ContextLengthError,
      /maximum context length is 512/,
    ],
    ['with 401', sends(401, {}), ModelUnavailableError, /refuses this server's key/],
    ['with 429', sends(429, {}, { 'retry-after': '7' }), CapacityError, /is busy\./],
    [
      'with an error in a body of 200',
      sends(200, { error: { message: 'Out of memory', code: 503 } }),
      ModelUnavailableError,
      /answers with the status 503: Out of memory\./,
    ],
    [
      'with one of two',
      sends(200, list([vector(0)])),
      ModelUnavailableError,
      /sent 1 embeddings for 2 inputs\. Check baseUrl and model/,
    ],
    [
      'with three of two',
      sends(200, list([vector(0), vector(1), vector(2)])),
      ModelUnavailableError,
      /sent 3 embeddings for 2 inputs/,
    ],
    [
      'with one of them twice',
      sends(200, list([vector(0), vector(0)])),
      ModelUnavailableError,
      /whose numbers \(index\) are not those of the inputs/,
    ],
    [
      'with different lengths',
      sends(200, list([vector(0), vector(1, [1])])),
      ModelUnavailableError,
      /of different lengths/,
    ],
    ['with an answer of a chat', sends(200, { choices: [] }), ModelUnavailableError, /no list of embeddings/],
    [
      'with items of something else',
      sends(200, list(['a', 'b'])),
      ModelUnavailableError,
      /no list of embeddings/,
    ],
    [
      'with texts',
      sends(200, list([vector(0), vector(1, ['1', '2'])])),
      ModelUnavailableError,
      /not a list of 1 to 65536 numbers/,
    ],
    [
      'with vectors for each token',
      sends(200, list([vector(0, [[1, 2]]), vector(1)])),
      ModelUnavailableError,
      /not a list of 1 to/,
    ],
    [
      'with no numbers',
      sends(200, list([vector(0, []), vector(1, [])])),
      ModelUnavailableError,
      /not a list of 1 to/,
    ],
    [
      'with too many numbers',
      sends(200, list([vector(0, numbers), vector(1, numbers)])),
      ModelUnavailableError,
      /not a list of 1 to/,
    ],
    [
      'with half a number',
      sends(200, list([vector(0, 'AAAAAAA='), vector(1, 'AAAAAAA=')])),
      ModelUnavailableError,
      /not a list of 1 to/,
    ],
    [
      'with a number that is none',
      sends(200, list([vector(0, base64(NaN)), vector(1, [1])])),
      ModelUnavailableError,
      /not finite in 32 bits/,
    ],
    [
      'with too great a number',
      sends(200, list([vector(0, [1e300]), vector(1, [1])])),
      ModelUnavailableError,
      /not finite in 32 bits/,
    ],
    [
      'with a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
      ModelUnavailableError,
      /no list of embeddings/,
    ],
    [
      'with an endless answer',
      (response) => void response.writeHead(200).end(' '.repeat(6 * 1024 * 1024)),
      ModelUnavailableError,
      /sent an answer of more than 5111808 bytes/,
    ],
    [
      'by ending too early',
      (response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{')
        setImmediate(() => response.destroy())
      },
      ModelUnavailableError,
      /closed the connection in the middle of an answer/,
    ],
    [
      'with a redirect',
      sends(302, {}, { location: 'http://127.0.0.1:9/' }),
      ModelUnavailableError,
      /redirects are not followed/,
    ],
  ]
  it.each(failures)('%s is named', async (_, answer, type, words) => {
    server.answer = answer
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 0 })
    const thrown = (await embed(opened).catch((error: unknown) => error)) as Error
    expect(thrown).toBeInstanceOf(type)
    expect(thrown.message).toMatch(words)
    expect(thrown.message).toContain(`the model 'big' (127.0.0.1:${server.port})`)
  })

  it.each([
    ['before', () => {}],
    ['after', (response: Parameters<TestServer['answer']>[0]) => void response.writeHead(200).write('{')],
  ])('is given up in time, %s its headers, and not asked again', async (_, begin) => {
    server.answer = (response) => begin(response)
    await using opened = await openModel({ baseUrl: server.baseUrl, firstTokenTimeoutMs: 50 })
    await expect(embed(opened)).rejects.toThrow(/sent no embeddings for 0\.05 s\. Try again later\./)
    expect(server.asked).toHaveLength(1)
  })
})
