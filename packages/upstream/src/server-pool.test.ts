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

it('serves a server without a list of models', async () => {
  await using server = await TestServer.start()
  server.models = (response) => json(response, 404, {})
  await using opened = await openModel({ baseUrl: server.baseUrl })
  expect(await opened.model.status()).toEqual({ state: 'ready' })
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
})
