import { chatResponseSchema, completionChunkSchema, petalsSchema } from '@petals-chat/api'
import type { DraftCount, RouteReport } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { createTestGateway, type LogRecord, readJson, recordingLogger } from '../fixtures/test-gateway.ts'
import { V2Client } from '../fixtures/v2-client.ts'

const peers = [
  'QmPAciy35fh35xVGoYx9W991QTttMhobGCK3eDdJmCKzzv',
  'QmQbJ5NNyV9yy3QV6UtZvKwv8e4oJyfeV2NNXxG9K8SAas',
]

const steady: RouteReport = {
  hops: [
    { peer: peers[0]!, publicName: 'my-gpu', start: 0, end: 15, stepMs: 12.34567 },
    { peer: peers[1]!, publicName: undefined, start: 15, end: 30, stepMs: undefined },
  ],
  failovers: [],
  pushed: false,
}

const inAnswer = {
  route: {
    hops: [
      { peer: peers[0], public_name: 'my-gpu', start: 0, end: 15, step_ms: 12.346 },
      { peer: peers[1], start: 15, end: 30 },
    ],
    failovers: [],
    pushed: false,
  },
}

/** After some looks at it, the first server has been replaced by the second one. */
function failingRoute(): () => RouteReport {
  let looks = 0
  return () => {
    if (++looks < 4) return steady
    const [first, second] = steady.hops
    return {
      hops: [
        {
          ...second!,
          start: 0,
          end: 30,
          standby: { peer: peers[0]!, publicName: 'my-gpu', position: 5 },
        },
      ],
      failovers: [
        {
          ...first!,
          reason: 'The connection was lost.',
          position: 7,
          pauseMs: 150,
          wrongFrom: 3,
          byStandby: true,
          precision: { before: 'F32', after: 'Q8_0' },
          replacedBy: [{ peer: second!.peer, publicName: second!.publicName }],
        },
      ],
      pushed: true,
      tokensPerStep: 2.14159,
    }
  }
}

const chat = { model: 'test', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 8, temperature: 0 }
const post = (body: object, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers,
})

/** All events of a stream but the last line. */
async function eventsOf(response: Response) {
  const lines = (await response.text()).split('\n\n').filter((line) => line.startsWith('data: {'))
  return lines.map((line) => JSON.parse(line.slice('data: '.length)))
}

describe('the route of an answer', () => {
  it.each([
    ['by field', post({ ...chat, petals: { route: true } })],
    ['by header', post(chat, { 'x-petals-route': '1' })],
  ])('is told on request, %s', async (_, request) => {
    await using gateway = createTestGateway({ route: () => steady })
    const body = await readJson(await gateway.app.request('/v1/chat/completions', request))
    expect(body.petals).toEqual(inAnswer)
    expect(chatResponseSchema.parse(body)).toEqual(body)
  })

  it.each([
    ['no client asks', post(chat), () => steady],
    [
      'the body says no to the header',
      post({ ...chat, petals: { route: false } }, { 'x-petals-route': '1' }),
      () => steady,
    ],
    ['the engine has no routes', post({ ...chat, petals: { route: true } }), undefined],
  ])('is not there where %s', async (_, request, route) => {
    await using gateway = createTestGateway(route ? { route } : {})
    const body = await readJson(await gateway.app.request('/v1/chat/completions', request))
    expect(body.choices).toHaveLength(1)
    expect(body).not.toHaveProperty('petals')
  })

  it('refuses a field of the wrong type by its name', async () => {
    await using gateway = createTestGateway()
    const response = await gateway.app.request(
      '/v1/chat/completions',
      post({ ...chat, petals: { route: 'yes' } }),
    )
    expect([response.status, (await readJson(response)).error.param]).toEqual([400, 'petals.route'])
  })

  it.each([
    ['/v1/chat/completions', { ...chat, stream: true, petals: { route: true } }],
    [
      '/v1/completions',
      { model: 'test', prompt: 'Hi', max_tokens: 8, stream: true, petals: { route: true } },
    ],
  ])('comes in a stream of %s at first, when it changes, and at the end', async (path, request) => {
    await using gateway = createTestGateway({ route: failingRoute() })
    const events = await eventsOf(await gateway.app.request(path, post(request)))
    const told = events.flatMap(({ petals }, index) =>
      petals ? [{ index, ...petalsSchema.parse(petals) }] : [],
    )
    expect(told.map(({ route }) => route?.failovers.length)).toEqual([0, 1, 1])
    expect(told.at(-1)!.index).toBe(events.length - 1)
    expect(events.at(-1).choices[0].finish_reason).toBe('length')
    expect(told[1]!.route).toMatchObject({
      hops: [
        {
          peer: peers[1],
          start: 0,
          end: 30,
          standby: { peer: peers[0], public_name: 'my-gpu', position: 5 },
        },
      ],
      failovers: [
        {
          peer: peers[0],
          public_name: 'my-gpu',
          position: 7,
          pause_ms: 150,
          wrong_from: 3,
          by_standby: true,
          precision: { before: 'F32', after: 'Q8_0' },
          replaced_by: [{ peer: peers[1] }],
        },
      ],
      pushed: true,
      tokens_per_step: 2.14,
    })
    if (path === '/v1/completions')
      for (const event of events) expect(completionChunkSchema.parse(event)).toEqual(event)
  })

  it('comes over the WebSocket of the original, for who asks', async () => {
    await using gateway = createTestGateway({ route: () => steady })
    const { url } = await gateway.listen()
    using client = await new V2Client(url).open()
    expect(await client.startSession(64)).toEqual({ ok: true })
    const told = await client.generate({ inputs: 'Hi', max_new_tokens: 3, petals: { route: true } })
    expect(told.at(-1)).toMatchObject({ ok: true, stop: true, petals: inAnswer })
    const untold = await client.generate({ inputs: 'Hi', max_new_tokens: 3 })
    expect(untold.at(-1)).not.toHaveProperty('petals')
  })

  it('is logged with the id of the request that took it', async () => {
    const records: LogRecord[] = []
    await using gateway = createTestGateway({ route: failingRoute(), logger: recordingLogger(records) })
    await gateway.app.request('/v1/chat/completions', post(chat, { 'x-request-id': 'first' }))
    const request = new URLSearchParams({ inputs: 'Hi', max_new_tokens: '2' })
    for (const id of ['second', 'third', 'fourth']) {
      const headers = { 'x-request-id': id }
      await gateway.app.request('/api/v1/generate', { method: 'POST', body: request, headers })
    }
    const routes = records.filter(({ message }) => message === 'answered by the swarm')
    expect(routes.map(({ fields }) => fields)).toEqual([
      ...['first', 'second', 'third'].map((requestId) => ({
        requestId,
        model: 'test',
        route: '0:15 via my-gpu (…mCKzzv) => 15:30 via …K8SAas',
      })),
      {
        requestId: 'fourth',
        model: 'test',
        route: '0:30 via …K8SAas',
        pushed: true,
        tokensPerStep: 2.14,
        failovers: 1,
      },
    ])
  })
})

it('counts the tokens that were guessed in advance, over all choices', async () => {
  let accepted = 5
  const drafts = (): DraftCount => ({ accepted: (accepted += 2), rejected: accepted * 3 })
  await using gateway = createTestGateway({ drafts })
  const body = await readJson(await gateway.app.request('/v1/chat/completions', post({ ...chat, n: 2 })))
  expect(body.usage.completion_tokens_details).toEqual({
    accepted_prediction_tokens: 4,
    rejected_prediction_tokens: 12,
  })
  expect(chatResponseSchema.parse(body)).toEqual(body)
})
