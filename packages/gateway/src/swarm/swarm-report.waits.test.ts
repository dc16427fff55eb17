import { chatChunkSchema, completionChunkSchema } from '@petals-chat/api'
import type { SwarmWait } from '@petals-chat/engine'
import { expect, it } from 'vitest'
import { createTestGateway, readJson } from '../fixtures/test-gateway.ts'
import { V2Client } from '../fixtures/v2-client.ts'

const wait: SwarmWait = {
  blocks: [
    { start: 12, end: 24 },
    { start: 30, end: 31 },
  ],
  since: 1_764_000_000_500,
  until: 1_764_000_120_500,
}
const comment = 'waiting for a server of blocks 12-23, 30 until 2025-11-24T16:02:00.500Z'
const waiting = { blocks: wait.blocks, since: 1_764_000_000.5, until: 1_764_000_120.5 }

const requests = [
  [
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4, temperature: 0, logprobs: true },
    chatChunkSchema,
  ],
  ['/v1/completions', { prompt: 'Hi', max_tokens: 4, temperature: 0 }, completionChunkSchema],
] as const

const post = (body: object) => ({ method: 'POST', body: JSON.stringify({ model: 'test', ...body }) })

it.each(requests)('a stream of %s tells those who ask what it waits for', async (path, request, schema) => {
  await using gateway = createTestGateway({ wait })
  const body = { ...request, stream: true, petals: { route: true } }
  const text = await (await gateway.app.request(path, post(body))).text()
  const events = text
    .split('\n\n')
    .flatMap((event) =>
      /^data: (\{.*)$/m.exec(event)?.[1] ? [JSON.parse(/^data: (.*)$/m.exec(event)![1]!)] : [],
    )
  for (const event of events) expect(schema.parse(event)).toEqual(event)
  expect(events[0]).toMatchObject({ choices: [], petals: { waiting } })
  expect(events[1]).toMatchObject({ choices: [], petals: { waiting: null } })
  expect(text.startsWith(`: ${comment}\ndata: {`)).toBe(true)
})

it.each(requests)('a stream of %s says it in a comment to all others', async (path, request) => {
  await using gateway = createTestGateway({ wait })
  const events = (await (await gateway.app.request(path, post({ ...request, stream: true }))).text()).split(
    '\n\n',
  )
  expect(events[0]).toBe(`: ${comment}`)
  expect(events.filter((event) => event.includes('waiting'))).toHaveLength(1)
  expect(JSON.parse(events[1]!.slice('data: '.length)).choices).toHaveLength(1)
})

it.each(requests)('an answer of %s in one piece only comes later', async (path, request) => {
  await using gateway = createTestGateway({ wait })
  await using other = createTestGateway()
  const ask = async ({ app }: typeof gateway) => await readJson(await app.request(path, post(request)))
  const [waited, answer] = [await ask(gateway), await ask(other)]
  expect(waited.choices).toEqual(answer.choices)
  expect(waited).not.toHaveProperty('petals')
})

it('a resumed stream tells it again, with the numbers of events', async () => {
  await using gateway = createTestGateway({ wait })
  const [path, request] = requests[0]
  const first = await gateway.app.request(path, post({ ...request, stream: true, resumable: true }))
  const id = first.headers.get('x-answer-id')
  expect(await first.text()).toMatch(`id: ${id}:1\n: ${comment}\n\nid: ${id}:2\ndata: {`)
})

it('the WebSocket of the original tells those who ask, and nothing to all others', async () => {
  await using gateway = createTestGateway({ wait })
  const { url } = await gateway.listen()
  using client = await new V2Client(url).open()
  expect(await client.startSession(64)).toEqual({ ok: true })
  const told = await client.generate({ inputs: 'Hi', max_new_tokens: 3, petals: { route: true } })
  expect(told.slice(0, 2)).toEqual([
    { ok: true, outputs: '', stop: false, token_count: 0, petals: { waiting } },
    { ok: true, outputs: '', stop: false, token_count: 0, petals: { waiting: null } },
  ])
  const untold = await client.generate({ inputs: 'Hi', max_new_tokens: 3 })
  expect(JSON.stringify(untold)).not.toContain('waiting')
})
