import { errorSchema, type ResponseBody, type ResponseEvent, type ResponseUsage } from '@petals-chat/api'
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import type { Extends, Mutable } from '../openai/fixtures/dialect.ts'
import { ask, path, refusal, responseOf, weather } from './fixtures/responses.ts'

/** What a response repeats of its request is not checked, and the client itself adds `output_text`. */
type Repeated = 'tools' | 'tool_choice' | 'text' | 'reasoning' | 'output_text' | 'user' | 'usage'
type WithoutBody<Event> = Event extends { response: unknown } ? Omit<Event, 'response'> : Event

// The types of the official client's results: no field of them may be missing here.
export type Checked = [
  Extends<Omit<OpenAI.Responses.Response, Repeated>, Omit<Mutable<ResponseBody>, Repeated>>,
  Extends<OpenAI.Responses.ResponseUsage, Mutable<ResponseUsage>>,
  Extends<WithoutBody<OpenAI.Responses.ResponseStreamEvent>, WithoutBody<Mutable<ResponseEvent>>>,
]

describe('what a response repeats', () => {
  it('has every field that Open Responses requires, with the defaults of what the request leaves out', async () => {
    const plain = await responseOf({ tools: [{ type: 'function', name: 'look' }] })
    expect(plain).toMatchObject({
      frequency_penalty: 0,
      presence_penalty: 0,
      max_tool_calls: null,
      text: { verbosity: 'medium' },
      tools: [{ type: 'function', name: 'look', description: null, parameters: null, strict: null }],
    })
    const asked = {
      frequency_penalty: 0.5,
      presence_penalty: -1,
      text: { verbosity: 'low' },
      tools: [weather],
    }
    expect(await responseOf(asked)).toMatchObject(asked)
  })
})

describe('a refused response', () => {
  const deep = JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`) as object

  it.each([
    [{ input: undefined }, "'input'"],
    [{ input: [] }, "'input'"],
    [{ input: [{ role: 'robot', content: 'Hi' }] }, "'input[0]"],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'only text'],
    [{ input: [{ type: 'computer_call', call_id: 'x' }] }, 'computer_call'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, "'msg_1'"],
    [{ wrong: 1 }, "'wrong'"],
    [{ background: true, store: false }, "'background'"],
    [{ conversation: 'conv_1' }, 'previous_response_id'],
    [{ messages: [], max_tokens: 3 }, 'input'],
    [{ tools: [{ type: 'code_interpreter', container: 'x' }] }, 'code_interpreter'],
    [{ tools: [{ type: 'mcp', server_label: 'x', server_url: 'http://127.0.0.1' }] }, 'server_url'],
    [{ tools: [weather, weather] }, "'tools[1].name'"],
    [{ tools: [{ type: 'namespace', name: 'n', tools: [weather, weather] }] }, "'tools[0].tools[1].name'"],
    [{ tool_choice: 'required' }, "'tools'"],
    [{ tool_choice: 'required', tools: [{ type: 'web_search' }] }, 'that the client runs'],
    [{ tool_choice: { type: 'function', name: 'x' }, tools: [weather] }, "'x'"],
    [{ tool_choice: { type: 'web_search' }, tools: [{ type: 'web_search' }] }, "'tool_choice"],
    [{ text: { format: { type: 'json_schema', name: 'x', strict: true, schema: deep } } }, 'text.format'],
    [{ metadata: { a: 1 } }, "'metadata.a'"],
  ])('names the field of %j', async (body, words) => {
    const { status, type, message, param } = await refusal(body)
    expect({ status, type }).toEqual({ status: 400, type: 'invalid_request_error' })
    expect(`${message} ${param}`).toContain(words)
    expect(message).not.toMatch(/response_format|function\.(name|parameters)/)
  })

  it('has the status of its kind', async () => {
    const other = await refusal({ model: 'nothing' }, { specs: [{}, { id: 'two' }] })
    expect(other).toMatchObject({ status: 404, code: 'model_not_found' })
    await using app = createTestApp()
    const unserved = [
      ['GET', '/x/nothing', '/v1/responses/{id}'],
      ['POST', '/compact', 'truncation'],
      ['POST', '/input_tokens', '/v1/tokenize'],
    ] as const
    for (const [method, place, instead] of unserved) {
      const response = await app.get(`${path}${place}`, { method })
      const { error } = errorSchema.parse(await response.json())
      expect([response.status, error.code]).toEqual([404, 'unknown_url'])
      expect(error.message).toContain(instead)
      expect(error.message).not.toContain('/v1/chat/completions')
    }
    expect((await app.get(`${path}/x`, { method: 'POST' })).status).toBe(405)
    for (const query of ['limit=0', 'limit=x', 'order=up', 'after=x']) {
      const { id } = (await (await app.post(path, { ...ask, max_output_tokens: 1 })).json()) as ResponseBody
      expect((await app.get(`${path}/${id}/input_items?${query}`)).status).toBe(400)
      expect((await app.get(`${path}/${id}?stream=true`)).status).toBe(400)
    }
  })
})
