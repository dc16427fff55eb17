import { errorSchema, inputItemListSchema, type ResponseBody, responseSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { asCaller, TestCallers } from '../../fixtures/test-callers.ts'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import { ask, path } from './fixtures/responses.ts'

describe('a kept response', () => {
  it('is as unknown to another key as none, by every route', async () => {
    await using app = createTestApp({
      callers: [new TestCallers().add('ann').add('bob')],
      reply: () => 'Hi.',
    })
    const as = (name: string) => ({ headers: { 'content-type': 'application/json', ...asCaller(name) } })
    const made = responseSchema.parse(await (await app.post(path, ask, as('ann'))).json())
    const unknown = 'resp_0000'
    const answers = async (id: string, name: string) => {
      const item = { type: 'item_reference', id: made.output[0]!.id }
      const requests = [
        () => app.get(`${path}/${id}`, as(name)),
        () => app.get(`${path}/${id}/input_items`, as(name)),
        () => app.post(`${path}/${id}/cancel`, {}, as(name)),
        () => app.post(path, { ...ask, previous_response_id: id }, as(name)),
        () => app.post(path, { ...ask, input: [item] }, as(name)),
        () => app.get(`${path}/${id}`, { method: 'DELETE', ...as(name) }),
      ]
      const seen: (readonly [number, string])[] = []
      for (const request of requests) {
        const response = await request()
        seen.push([response.status, (await response.text()).replaceAll(id, unknown)])
      }
      return seen
    }
    const foreign = await answers(made.id, 'bob')
    expect(foreign.map(([status]) => status)).toEqual([404, 404, 404, 400, 400, 404])
    expect(foreign).toEqual(await answers(unknown, 'bob'))
    const own = await answers(made.id, 'ann')
    expect(own.map(([status]) => status)).toEqual([200, 200, 200, 200, 200, 200])
  })
})

describe('a dialogue of kept responses', () => {
  it('may be as long as a body, and an item of it is found by its id in that length', async () => {
    await using app = createTestApp({
      contextLength: 100_000,
      reply: () => 'Hi.',
      config: { maxBodyBytes: 4_000 },
    })
    const make = async (body: object) => {
      const response = await app.post(path, { ...ask, ...body })
      return {
        status: response.status,
        json: (await response.json()) as ResponseBody & { error: { param: string } },
      }
    }
    const text = 'x'.repeat(1_000)
    const first = await make({ input: text })
    const second = await make({ input: text, previous_response_id: first.json.id })
    expect([first.status, second.status]).toEqual([200, 200])
    const third = await make({ previous_response_id: second.json.id })
    expect([third.status, third.json.error.param]).toEqual([400, 'previous_response_id'])
    const made = [first, second, await make({ input: text })]
    const item = ({ json }: (typeof made)[number]) => ({ type: 'item_reference', id: json.output[0]!.id })
    expect((await make({ input: made.slice(0, 1).map(item) })).status).toBe(200)
    const all = await make({ input: made.map(item) })
    expect([all.status, all.json.error.param]).toEqual([400, 'input[2].id'])
  })

  it('counts an item as often as a request names it', async () => {
    await using app = createTestApp({
      contextLength: 100_000,
      reply: () => 'Hi.',
      config: { maxBodyBytes: 20_000 },
    })
    const made = (await (await app.post(path, ask)).json()) as ResponseBody
    const item = { type: 'item_reference', id: made.output[0]!.id }
    const times = (count: number) =>
      app.post(path, { ...ask, input: Array.from({ length: count }, () => item) })
    expect((await times(50)).status).toBe(200)
    const { error } = errorSchema.parse(await (await times(250)).json())
    expect(error.param).toMatch(/^input\[1\d\d\]\.id$/)
    expect(error.message).toContain('server.maxBodyBytes')
  })

  it('keeps items without the fields that are ignored, and under ids of this server', async () => {
    await using app = createTestApp({ contextLength: 100_000, reply: () => 'Hi.' })
    const content = [{ type: 'output_text', text: 'Yes.', annotations: [{ a: 1 }], logprobs: [1] }]
    const call = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}', parsed_arguments: 'x' }
    const input = [
      { type: 'reasoning', id: 'rs_1', encrypted_content: 'x', content: ['x'], summary: ['x'] },
      { role: 'assistant', id: 'msg_1', content, status: 'completed', end_turn: true },
      { ...call, id: 'fc_1', created_by: 'x' },
      { type: 'web_search_call', id: 'ws_1', action: 'x' },
      { type: 'function_call_output', id: 'fco_1', call_id: 'c', output: 'Done', status: 'completed' },
    ]
    const { id } = (await (await app.post(path, { ...ask, input })).json()) as ResponseBody
    const listed = await (await app.get(`${path}/${id}/input_items?order=asc`)).json()
    const { data } = inputItemListSchema.parse(listed)
    expect(data.map(({ id: _, ...item }) => item)).toEqual([
      { type: 'reasoning', summary: [] },
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
      },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'web_search_call' },
      { type: 'function_call_output', call_id: 'c', output: 'Done' },
    ])
    for (const [place, { id }] of data.entries())
      expect(id).toMatch(new RegExp(`^${input[place]!.id?.slice(0, -1)}[0-9a-f]{32}$`))
    const guessed = await app.post(path, { ...ask, input: [{ type: 'item_reference', id: 'msg_1' }] })
    expect(guessed.status).toBe(400)
    const referred = await app.post(path, { ...ask, input: [{ type: 'item_reference', id: data[1]!.id }] })
    expect(referred.status).toBe(200)
  })
})
