import { chatResponseSchema } from '@petals-chat/api'
import { GenerationFailedError, ModelUnavailableError } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { absence as reason, AbsentSwarm } from '../../fixtures/absent-swarm.ts'

const wait = { blocks: [{ start: 12, end: 24 }], since: 1_700_000_000_000, until: 1_700_000_120_000 }

let swarm: AbsentSwarm
beforeEach(() => void (swarm = new AbsentSwarm()))
afterEach(() => swarm[Symbol.asyncDispose]())

const request = (path: string, body: object, signal?: AbortSignal) =>
  swarm.gateway.app.request(path, { method: 'POST', body: JSON.stringify(body), signal: signal ?? null })
const messages = [{ role: 'user', content: 'Hi' }]
const chat = { model: 'swarm', messages, max_tokens: 20 }
const told = { petals: { route: true } }
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests inspect any response
const jsonOf = async (response: Response | Promise<Response>): Promise<any> => (await response).json()
const post = (body: object) => jsonOf(request('/v1/chat/completions', body))
const inAnswer = { fallback: { model: 'swarm', reason } }

describe('a model of a swarm that is away', () => {
  it('is stood in for by its fallback, which the answer names, with the reason for those who ask', async () => {
    const answer = await post({ ...chat, ...told, n: 2 })
    expect(answer).toMatchObject({
      model: 'local',
      choices: [{ message: { content: 'Some words.' } }, {}],
      petals: inAnswer,
    })
    expect(chatResponseSchema.parse(answer)).toEqual(answer)
    expect(await post(chat)).not.toHaveProperty('petals')
  })

  it('is stood in for, too, if it can not even be loaded', async () => {
    swarm.beforeLoad = () => {
      throw new ModelUnavailableError('The swarm can not be joined.')
    }
    expect(await post({ ...chat, ...told })).toMatchObject({
      model: 'local',
      petals: { fallback: { reason: 'The swarm can not be joined.' } },
    })
  })

  it('is stood in for, too, if its servers answer with errors', async () => {
    swarm.beforeAnswer = async () => {
      throw new GenerationFailedError('The server that is needed for blocks 12-23 failed, last: no.')
    }
    expect(await post({ ...chat, ...told })).toMatchObject({
      model: 'local',
      petals: { fallback: { reason: expect.stringContaining('failed, last: no.') as string } },
    })
  })

  it('fails where the configuration names no fallback', async () => {
    expect(await post({ ...chat, model: 'alone' })).toMatchObject({
      error: { code: 'missing_blocks', message: reason },
    })
  })

  it('answers itself when it is back before the wait is over', async () => {
    swarm.beforeAnswer = async ({ onWait }) => {
      onWait?.(wait)
      onWait?.(undefined)
    }
    const answer = await post({ ...chat, ...told })
    expect(answer).toMatchObject({ model: 'swarm' })
    expect(answer).not.toHaveProperty('petals.fallback')
  })
})

describe('a stream whose model waits for a swarm', () => {
  beforeEach(() => {
    swarm.beforeAnswer = async ({ onWait }) => {
      onWait?.(wait)
      await Promise.resolve()
      swarm.fail()
    }
  })

  it('tells of the wait at once, and of the fallback when it begins, under one id', async () => {
    const text = await (await request('/v1/chat/completions', { ...chat, ...told, stream: true })).text()
    expect(text).toMatch(/^: waiting for a server of blocks 12-23 until /)
    const events = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!))
    expect(new Set(events.map(({ id }) => id)).size).toBe(1)
    expect(events.map(({ model }) => model)).toEqual(['swarm', ...events.slice(1).map(() => 'local')])
    expect(events[0].petals).toEqual({
      waiting: { ...wait, since: wait.since / 1000, until: wait.until / 1000 },
    })
    const withReason = events.flatMap(({ petals }, index) => (petals?.fallback ? [index] : []))
    expect(withReason).toEqual([2, events.length - 1])
    expect(events[2].petals).toEqual(inAnswer)
    expect(events.map(({ choices }) => choices[0]?.delta?.content ?? '').join('')).toBe('Some words.')
  })

  it.each([
    ['/v1/messages', { model: 'swarm', messages, max_tokens: 20 }, ': waiting'],
    ['/v1/responses', { model: 'swarm', input: 'Hi' }, ': waiting'],
    ['/api/chat', { model: 'swarm', messages }, '{"model":"local"'],
  ])('of %s names the fallback, too', async (path, body, begin) => {
    const text = await (await request(path, { ...body, stream: true })).text()
    expect(text.slice(0, begin.length)).toBe(begin)
    expect(text).toContain('"model":"local"')
    expect(text).not.toContain('"model":"swarm"')
  })

  it('ends its wait when its reader leaves', async () => {
    let stopped = false
    swarm.beforeAnswer = async ({ onWait, signal }) => {
      onWait?.(wait)
      await new Promise((_, reject) =>
        signal!.addEventListener('abort', () => {
          stopped = true
          reject(signal!.reason as Error)
        }),
      )
    }
    const response = await request('/v1/chat/completions', { ...chat, stream: true })
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    await vi.waitFor(() => expect([stopped, swarm.openSessions]).toEqual([true, 0]))
  })
})

/** A continued text would go on after its words. */
const isOver = { max_tokens: 11 }
const whole = [
  ['/v1/chat/completions', { messages }, { choices: [{ message: { content: 'Some words.' } }] }],
  ['/v1/completions', { prompt: 'Hi', ...isOver }, { choices: [{ text: 'Some words.' }] }],
  ['/v1/messages', { messages, max_tokens: 20 }, { content: [{ type: 'text', text: 'Some words.' }] }],
  ['/v1/responses', { input: 'Hi' }, { output: [{ content: [{ text: 'Some words.' }] }] }],
  ['/api/chat', { messages }, { message: { content: 'Some words.' } }],
  ['/api/generate', { prompt: 'Hi' }, { response: 'Some words.' }],
  ['/api/generate', { prompt: 'Hi', raw: true, options: { num_predict: 11 } }, { response: 'Some words.' }],
] as const

describe('an answer that breaks off', () => {
  const asked = (path: string, fields: object, stream: boolean) =>
    request(path, { model: 'swarm', ...fields, stream })
  beforeEach(() => {
    swarm.beforeAnswer = async () => {}
    swarm.breaksAfter = 3
  })

  it.each(whole)('comes whole from the fallback, which it names, on %s %j', async (path, fields, told) => {
    const response = await asked(path, fields, false)
    expect(await response.json()).toMatchObject({ model: 'local', ...told })
    expect(response.status).toBe(200)
    expect(swarm.openSessions).toBe(0)
  })

  it.each(whole)('is not continued by another model in a stream of %s %j', async (path, fields) => {
    const text = await (await asked(path, fields, true)).text()
    expect(text).toContain(reason)
    expect(text).not.toContain('"model":"local"')
    expect(swarm.asked).toEqual([])
  })

  it('is told of to those who ask, with all choices from the fallback', async () => {
    const answer = await post({ ...chat, ...told, n: 2 })
    expect(answer).toMatchObject({
      model: 'local',
      choices: [{ message: { content: 'Some words.' } }, { message: { content: 'Some words.' } }],
      petals: inAnswer,
    })
  })

  it('comes whole from the fallback, too, if it breaks off in its second choice', async () => {
    let answers = 0
    swarm.breaksAfter = Infinity
    swarm.beforeAnswer = async () => {
      if (++answers === 2) swarm.fail()
    }
    const { model, choices } = await post({ ...chat, n: 2 })
    expect([model, choices.length, swarm.asked.length]).toEqual(['local', 2, 2])
  })

  it('fails on a model without a fallback', async () => {
    expect(await post({ ...chat, model: 'alone' })).toMatchObject({ error: { code: 'missing_blocks' } })
  })

  it('of a response in the background is not asked anew: its beginning can be read', async () => {
    const { id } = await jsonOf(request('/v1/responses', { model: 'swarm', input: 'Hi', background: true }))
    const read = () => jsonOf(swarm.gateway.app.request(`/v1/responses/${id}`))
    await vi.waitFor(async () => expect(await read()).toMatchObject({ status: 'failed' }))
    expect(swarm.asked).toEqual([])
  })
})
