import { chatChunkSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { complete, paris, path, request } from './fixtures/chat.ts'
import { createTestApp } from './fixtures/test-app.ts'

describe('a streamed answer', () => {
  it('has the same text, at least one event per character, and [DONE]', async () => {
    await using app = createTestApp(paris)
    const { events, done, response } = await app.stream(path, request)
    for (const event of events) chatChunkSchema.parse(event)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(done).toBe(true)
    expect(events[0].choices[0].delta).toEqual({ role: 'assistant', content: '', refusal: null })
    expect(events.map(({ choices }) => choices[0].delta.content ?? '').join('')).toBe(
      'Paris, the city of light. 🗼',
    )
    expect(events.length).toBeGreaterThan(25)
    expect(events.at(-1).choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' })
    expect(events.at(-1).timings).toMatchObject({ predicted_n: 31 })
    expect(events.slice(0, -1).every(({ choices }) => choices[0].finish_reason === null)).toBe(true)
    expect(new Set(events.map(({ id }) => id)).size).toBe(1)
    expect(events.every((event) => !('usage' in event))).toBe(true)
  })

  it('has usage in an additional last event on request', async () => {
    await using app = createTestApp(paris)
    const { events, done } = await app.stream(path, { ...request, stream_options: { include_usage: true } })
    expect(done).toBe(true)
    expect(events.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 34, completion_tokens: 31 } })
    expect(events.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  })

  it('has n choices one after another', async () => {
    await using app = createTestApp(paris)
    const { events } = await app.stream(path, { ...request, n: 2, stream_options: { include_usage: true } })
    const textOf = (index: number) =>
      events
        .flatMap(({ choices }) => choices)
        .filter((choice) => choice.index === index)
        .map(({ delta }) => delta.content ?? '')
        .join('')
    expect([textOf(0), textOf(1)]).toEqual([paris.reply(), paris.reply()])
    expect(events.filter(({ choices }) => choices[0]?.finish_reason === 'stop')).toHaveLength(2)
    expect(events.at(-1).usage).toMatchObject({ prompt_tokens: 34, completion_tokens: 62 })
  })

  it('ends with an error event if it fails in the middle, without [DONE] and finish_reason', async () => {
    await using app = createTestApp({
      ...paris,
      beforeStep: ({ step }) => {
        if (step === 5) throw new Error('/secret/path exploded')
      },
    })
    const { events, done, response } = await app.stream(path, request)
    expect(response.status).toBe(200)
    expect(done).toBe(false)
    expect(events.at(-1)).toEqual({
      error: {
        message: expect.stringContaining(response.headers.get('x-request-id')!),
        type: 'server_error',
        param: null,
        code: 'internal_error',
      },
    })
    expect(JSON.stringify(events)).not.toContain('secret')
    expect(events.some((event) => event.choices?.[0]?.finish_reason)).toBe(false)
  })

  it('has the status of the error if it fails before its first token', async () => {
    await using app = createTestApp({ specs: [{}, { id: 'other' }] })
    const response = await app.post(path, { ...request, model: 'unknown', stream: true })
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  })

  it('pings while the model is slow', async () => {
    await using app = createTestApp({
      reply: () => 'ok',
      beforeStep: () => new Promise((resolve) => void setTimeout(resolve, 50)),
      config: { ssePingIntervalMs: 15 },
    })
    const { comments, done } = await app.stream(path, request)
    expect(done).toBe(true)
    expect(comments.length).toBeGreaterThan(2)
    expect(comments[0]).toBe(': ping')
  })
})

describe('thoughts', () => {
  const thinking = { reply: () => '<think>\nFrance… Paris.\n</think>\n\nParis.' }

  it('are separate from the answer', async () => {
    const { choices } = await complete({}, thinking)
    expect(choices[0]!.message).toMatchObject({ content: 'Paris.', reasoning_content: 'France… Paris.\n' })
  })

  it('stream as reasoning_content', async () => {
    await using app = createTestApp(thinking)
    const { events } = await app.stream(path, request)
    const join = (field: string) => events.map(({ choices }) => choices[0].delta[field] ?? '').join('')
    expect(join('reasoning_content')).toBe('France… Paris.\n')
    expect(join('content')).toBe('Paris.')
  })

  it('stay in the answer with reasoning_format none', async () => {
    const { choices } = await complete({ reasoning_format: 'none' }, thinking)
    expect(choices[0]!.message).toMatchObject({ role: 'assistant', content: thinking.reply(), refusal: null })
  })

  it('are found where the template opened them', async () => {
    const template = { stopSequences: [], writesBos: false, render: () => '<|assistant|><think>\n' }
    const { choices } = await complete(
      {},
      { chatTemplate: template, reply: () => '<think>\nHm.</think>Yes.' },
    )
    expect(choices[0]!.message).toMatchObject({ content: 'Yes.', reasoning_content: 'Hm.' })
  })
})
