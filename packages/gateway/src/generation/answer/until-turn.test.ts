import { chatChunkSchema } from '@petals-chat/api'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestGateway, eventually, type TestGateway } from '../../fixtures/test-gateway.ts'
import { V2Client } from '../../fixtures/v2-client.ts'

let gateway: TestGateway
let step: PromiseWithResolvers<void>

/** One session; its steps wait for the test. */
beforeEach(() => {
  step = Promise.withResolvers()
  gateway = createTestGateway({ maxSessions: 1, beforeStep: () => step.promise })
})
afterEach(() => gateway[Symbol.asyncDispose]())

const body = { model: 'test', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2, stream: true }
const ask = (more: object = {}) =>
  gateway.app.request('/v1/chat/completions', { method: 'POST', body: JSON.stringify({ ...body, ...more }) })
const wantsRoute = { petals: { route: true } }
const waiting = (count: number) =>
  eventually(async () =>
    (await gateway.metrics.render()).body.includes(`petals_chat_queue_length{model="test"} ${count}`),
  )
const eventsOf = (text: string) => [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!))

it('a stream tells those who ask its place in the queue, whenever it changes', async () => {
  const first = ask()
  await eventually(() => gateway.engine.openSessions === 1)
  const second = await ask(wantsRoute)
  const third = await ask(wantsRoute)
  step.resolve()
  const [, two, three] = await Promise.all([(await first).text(), second.text(), third.text()])
  const places = (text: string) =>
    eventsOf(text).flatMap(({ petals }) => (petals?.queue === undefined ? [] : [petals.queue?.place ?? null]))
  expect(places(two)).toEqual([1, null])
  expect(places(three)).toEqual([2, 1, null])
  expect(three).toMatch(/^: waiting in the queue, place 2\ndata: \{/)
  for (const event of eventsOf(three)) expect(chatChunkSchema.parse(event)).toEqual(event)
})

it('a stream tells nothing to others: a refusal still has its status', async () => {
  await gateway[Symbol.asyncDispose]()
  gateway = createTestGateway({
    maxSessions: 1,
    beforeStep: () => step.promise,
    config: { sessions: { queueTimeoutMs: 50 } },
  })
  const first = ask()
  await eventually(() => gateway.engine.openSessions === 1)
  expect((await ask()).status).toBe(429)
  step.resolve()
  expect(await (await first).text()).not.toContain('"queue"')
})

it('who leaves gives up the place', async () => {
  const first = ask()
  await eventually(() => gateway.engine.openSessions === 1)
  const left = (await ask(wantsRoute)).body!.getReader()
  const last = await ask(wantsRoute)
  await waiting(2)
  await left.read()
  await left.cancel()
  await waiting(1)
  step.resolve()
  await (await first).text()
  expect(eventsOf(await last.text()).at(-1).choices[0].finish_reason).toBe('length')
})

it('the WebSocket of the original tells it, too', async () => {
  const first = ask()
  await eventually(() => gateway.engine.openSessions === 1)
  const { url } = await gateway.listen()
  using client = await new V2Client(url).open()
  await client.startSession(64)
  const answer = client.generate({ inputs: 'Hi', max_new_tokens: 2, ...wantsRoute })
  await waiting(1)
  step.resolve()
  await (await first).text()
  expect((await answer).slice(0, 2)).toMatchObject([
    { outputs: '', petals: { queue: { place: 1 } } },
    { outputs: '', petals: { queue: null } },
  ])
})
