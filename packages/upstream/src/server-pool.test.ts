import type { ServerResponse } from 'node:http'
import { createModelRegistry, silentLogger } from '@petals-chat/engine'
import { expect, it } from 'vitest'
import { upstreamModelSchema, type UpstreamModelInput } from './config.ts'
import { eventsOf, openModel, question, textOf } from './fixtures/test-model.ts'
import { begin, delta, end, json, send, stream, TestServer } from './fixtures/test-server.ts'
import { createUpstreamEngine } from './upstream-engine.ts'

it('gives each answer to the server that writes the fewest', async () => {
  await using one = await TestServer.start()
  await using two = await TestServer.start()
  const waiting: (() => void)[] = []
  for (const server of [one, two])
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'x' }))
      waiting.push(() => {
        send(response, end())
        response.end('data: [DONE]\n\n')
      })
    }
  await using opened = await openModel({ baseUrls: [one.baseUrl, two.baseUrl] })
  const answers = Array.from({ length: 6 }, () => eventsOf(opened.model))
  await expect.poll(() => waiting.length).toBe(6)
  expect([one.asked.length, two.asked.length]).toEqual([3, 3])
  for (const finish of waiting) finish()
  await Promise.all(answers)
})

it('goes on with another server at once, and prefers those that are well', async () => {
  await using well = await TestServer.start()
  const gone = await TestServer.start()
  await using opened = await openModel({ baseUrls: [gone.baseUrl, well.baseUrl], healthIntervalMs: 60_000 })
  await gone.close()
  for (let count = 0; count < 4; count++) expect(textOf(await eventsOf(opened.model))).toBe('Hi')
  expect(well.asked).toHaveLength(4)
  expect(await opened.model.status()).toMatchObject({
    state: 'degraded',
    detail: expect.stringContaining("1 of 2 servers can't be used") as string,
  })
})

it('does not ask a server whose key was refused in vain, if another one takes it', async () => {
  await using closed = await TestServer.start()
  await using open = await TestServer.start()
  closed.answer = (response) => json(response, 401, {})
  await using opened = await openModel({ baseUrls: [closed.baseUrl, open.baseUrl] })
  for (let count = 0; count < 3; count++) expect(textOf(await eventsOf(opened.model))).toBe('Hi')
  expect(closed.asked.length).toBeLessThanOrEqual(1)
})

it('knows the context of the model from its servers, or from the configuration', async () => {
  await using server = await TestServer.start()
  server.models = (response) => json(response, 200, { data: [{ id: 'm', meta: { n_ctx_train: 2048 } }] })
  await using told = await openModel({ baseUrl: server.baseUrl, model: 'm' })
  expect(told.model.contextLength).toBe(2048)
  await using set = await openModel({ baseUrl: server.baseUrl, model: 'm', contextLength: 512 })
  expect(set.model.contextLength).toBe(512)
  await using other = await openModel({ baseUrl: server.baseUrl, model: 'n' })
  expect(other.model.contextLength).toBeUndefined()
  expect(await other.model.status()).toMatchObject({
    state: 'degraded',
    detail: "The server does not list the model 'n', but m. Set model in the configuration.",
  })
})

it('says that a server has no list of models, until it has answered', async () => {
  await using server = await TestServer.start()
  server.models = (response) => json(response, 404, {})
  await using opened = await openModel({ baseUrl: server.baseUrl, healthIntervalMs: 20 })
  expect(await opened.model.status()).toEqual({
    state: 'degraded',
    detail: `The server 127.0.0.1:${server.port} has no list of models at ${server.baseUrl}/models (status 404).`,
  })
  expect(textOf(await eventsOf(opened.model))).toBe('Hi')
  const looks = () => server.seen.length - server.asked.length
  const before = looks()
  await expect.poll(looks).toBeGreaterThan(before + 1)
  expect(await opened.model.status()).toEqual({ state: 'ready' })
})

it.each([
  ['404', (response: ServerResponse) => json(response, 404, {}), /has no list of models at .*\(status 404\)/],
  ['405', (response: ServerResponse) => json(response, 405, {}), /has no list of models at .*\(status 405\)/],
  [
    'a page',
    (response: ServerResponse) => void response.writeHead(200).end('<h1>Hello</h1>'),
    /answers with something else than a list of models at/,
  ],
  [
    'a list of other things',
    (response: ServerResponse) => json(response, 200, { data: [{ name: 'x' }] }),
    /something else than a list/,
  ],
])('says what a baseUrl without /v1 lacks: %s', async (_, models, words) => {
  await using server = await TestServer.start()
  server.answer = models
  await using opened = await openModel({ baseUrl: `http://127.0.0.1:${server.port}` })
  const { state, detail } = await opened.model.status()
  expect(state).toBe('degraded')
  expect(detail).toMatch(words)
  expect(detail).toMatch(/models(?: \(status \d+\))?; baseUrl mostly ends in \/v1\.$/)
})

it('takes from a list what can be read, whatever else is in it', async () => {
  await using server = await TestServer.start()
  let body: unknown
  server.models = (response) => json(response, 200, body)
  const items = [
    { id: 'a', context_length: 0, max_context_length: 100 },
    { id: 'b', max_model_len: 'long', meta: { n_ctx: 200 } },
    { id: 7 },
    null,
    { id: 'c', meta: [] },
  ]
  for (body of [{ data: items }, items]) {
    const lengths = ['a', 'b', 'c', 'd'].map(async (model) => {
      await using opened = await openModel({ baseUrl: server.baseUrl, model })
      return [(await opened.model.status()).state, opened.model.contextLength]
    })
    expect(await Promise.all(lengths)).toEqual([
      ['ready', 100],
      ['ready', 200],
      ['ready', undefined],
      ['degraded', undefined],
    ])
  }
})

it('asks for no made-up model if a server of all models lists none', async () => {
  await using server = await TestServer.start()
  const cases: readonly [TestServer['models'], RegExp][] = [
    [
      (response) => json(response, 200, { data: [] }),
      /^The server lists no models\. Load one there, or set model/,
    ],
    [(response) => json(response, 200, { data: null }), /^The server lists no models\./],
    [
      (response) => json(response, 404, {}),
      /has no list of models at .* set model instead of models: auto\.$/,
    ],
    [
      (response) => json(response, 200, 'no'),
      /something else than a list .* set model instead of models: auto\.$/,
    ],
  ]
  for (const [models, words] of cases) {
    server.models = models
    await using opened = await openModel({ baseUrl: server.baseUrl, models: 'auto' })
    expect(await opened.model.status()).toMatchObject({
      state: 'degraded',
      detail: expect.stringMatching(words) as string,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(/^The model 'big' is not available\. The server/)
  }
  expect(server.asked).toEqual([])
})

it('answers a request for all models of a server before its list is known', async () => {
  await using server = await TestServer.start()
  let list: (() => void) | undefined
  server.models = (response) => void (list = () => json(response, 200, { data: [{ id: 'org/a' }] }))
  await using engine = createUpstreamEngine()
  const entry = { id: 'lab', engine: 'upstream', baseUrl: server.baseUrl, models: 'auto' }
  await using registry = createModelRegistry({ models: [engine.add(upstreamModelSchema.parse(entry))] })
  const model = await registry.load('lab')
  if (!('answer' in model)) throw new Error('not remote')
  expect(await model.status()).toEqual({ state: 'ready' })
  const answer = eventsOf(model)
  await expect.poll(() => list).toBeDefined()
  list!()
  expect(textOf(await answer)).toBe('Hi')
  expect(server.asked).toMatchObject([{ body: { model: 'org/a' } }])
})

it('finds all models of a server, and follows it', async () => {
  await using server = await TestServer.start()
  let ids = ['org/a', 'org/b']
  server.models = (response) => json(response, 200, { data: ids.map((id) => ({ id })) })
  server.answer = (response, { body }) => stream(response, [delta({ content: String(body.model) }), end()])
  await using engine = createUpstreamEngine()
  const entry: UpstreamModelInput = {
    id: 'lab',
    engine: 'upstream',
    baseUrl: server.baseUrl,
    models: 'auto',
    apiKey: 'secret',
    healthIntervalMs: 20,
  }
  await using registry = createModelRegistry({
    models: [engine.add(upstreamModelSchema.parse(entry))],
    logger: silentLogger,
  })
  const names = () => registry.list().map(({ id }) => id)
  expect(names()).toEqual(['lab'])
  await engine.looked()
  expect(names()).toEqual(['lab/org/a', 'lab/org/b'])
  expect(JSON.stringify(registry.list())).not.toContain('secret')
  const answers = ['org/b', 'lab/org/b', 'lab'].map(async (name) => {
    const model = await registry.load(name)
    if (!('answer' in model)) throw new Error('not remote')
    return textOf(await eventsOf(model, question))
  })
  expect(await Promise.all(answers)).toEqual(['org/b', 'org/b', 'org/a'])
  await expect(registry.get('org/a')).rejects.toThrow(/Another server runs the model 'lab\/org\/a'/)
  ids = ['org/b', 'org/c']
  await expect.poll(names).toEqual(['lab/org/b', 'lab/org/c'])
  expect(registry.find('org/a')).toBeUndefined()
})

it('accepts addresses, and nothing else in their place', () => {
  const check = (fields: object) =>
    upstreamModelSchema.safeParse({ id: 'a', engine: 'upstream', ...fields }).error?.issues[0]?.message
  expect(check({ baseUrl: 'http://10.0.0.7:8000/v1/' })).toBeUndefined()
  expect(check({ baseUrl: 'file:///etc/passwd' })).toMatch(/begins with http/)
  expect(check({ baseUrl: 'http://user:pass@host/v1' })).toMatch(/must not contain a user/)
  expect(check({ baseUrl: 'http://host/v1?key=1' })).toMatch(/ends with its path/)
  expect(check({})).toMatch(/either baseUrl or baseUrls/)
  expect(check({ baseUrl: 'http://a/v1', baseUrls: ['http://b/v1'] })).toMatch(/either baseUrl or baseUrls/)
  expect(check({ baseUrl: 'http://a/v1', model: 'm', models: 'auto' })).toMatch(/either model/)
  expect(check({ baseUrl: 'http://a/v1', apiKey: 'sk-1\n' })).toMatch(
    /a key has only .* remove the line break/,
  )
  expect(check({ baseUrl: 'http://a/v1', apiKey: 'sk-1…' })).toMatch(/a key has only/)
})

it.each([
  ['HTTPS://Host.Example/V1', 'https://host.example/V1'],
  [' http://10.0.0.7:8000/v1/\n', 'http://10.0.0.7:8000/v1'],
  ['http:10.0.0.7:80', 'http://10.0.0.7'],
  ['http://host/v1?', 'http://host/v1'],
])('writes an address as it is sent: %j', (baseUrl, written) => {
  expect(upstreamModelSchema.parse({ id: 'a', engine: 'upstream', baseUrl }).baseUrl).toBe(written)
})
