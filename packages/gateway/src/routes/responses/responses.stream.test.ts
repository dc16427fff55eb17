import { responseSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import { ask, call, eventsIn, eventsOf, path, weather } from './fixtures/responses.ts'

describe('a streamed response', () => {
  it('has a begin, its items one after the other, and an end', async () => {
    const reply = () => `<think>Hm.</think>I look. ${call}`
    const events = await eventsOf({ tools: [weather] }, { reply })
    const named = events.map((event) =>
      'output_index' in event ? `${event.type} ${event.output_index}` : event.type,
    )
    expect(named.filter((name, place) => name !== named[place - 1])).toEqual([
      'response.created',
      'response.in_progress',
      ...['reasoning_text', 'output_text'].flatMap((kind, index) =>
        [
          'output_item.added',
          'content_part.added',
          `${kind}.delta`,
          `${kind}.done`,
          'content_part.done',
          'output_item.done',
        ].map((name) => `response.${name} ${index}`),
      ),
      ...[
        'output_item.added',
        'function_call_arguments.delta',
        'function_call_arguments.done',
        'output_item.done',
      ].map((name) => `response.${name} 2`),
      'response.completed',
    ])
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('no end')
    const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []))
    expect(last.response.output).toEqual(done)
    expect(new Set(done.map(({ id }) => id)).size).toBe(3)
  })

  it('ends with the event response.incomplete where the length ended it', async () => {
    const events = await eventsOf({ max_output_tokens: 3 }, { reply: () => 'Paris.' })
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', output: [{ status: 'incomplete', content: [{ text: 'Par' }] }] },
    })
  })

  it('pings in silence, and ends with error and response.failed when the model fails', async () => {
    const paused = Promise.withResolvers<void>()
    let steps = 0
    await using app = createTestApp({
      reply: () => 'Paris, the city',
      config: { ssePingIntervalMs: 20 },
      async beforeStep() {
        steps += 1
        if (steps === 3) await paused.promise
        if (steps === 5) throw new Error('A secret of the server')
      },
    })
    const response = await app.post(path, { ...ask, stream: true })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes(': ping')) text += (await reader.read()).value
    paused.resolve()
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    const events = eventsIn(text)
    expect(events.slice(-2)).toMatchObject([
      { type: 'response.output_item.done', item: { status: 'incomplete' } },
      { type: 'response.failed', response: { status: 'failed', error: { code: 'server_error' } } },
    ])
    expect(events.find(({ type }) => type === 'error')).toMatchObject({ error: { type: 'server_error' } })
    expect(text).not.toContain('secret')
    const begun = events[0]
    if (begun?.type !== 'response.created') throw new Error('no begin')
    const kept = responseSchema.parse(await (await app.get(`${path}/${begun.response.id}`)).json())
    expect(kept.status).toBe('failed')
  })
})
