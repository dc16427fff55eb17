import { anthropicErrorSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import { ask, path, refusal, tools } from './fixtures/messages.ts'

describe('a refused message', () => {
  it.each([
    [{ n: 2 }, "'n'"],
    [{ stop: 'x' }, 'stop_sequences'],
    [{ wrong: 1 }, "'wrong'"],
    [{ messages: [] }, "'messages'"],
    [{ messages: [{ role: 'robot', content: 'Hi' }] }, "'messages[0].role'"],
    [{ tool_choice: { type: 'any' } }, "'tools'"],
    [{ mcp_servers: [{ url: 'http://127.0.0.1' }] }, "'mcp_servers"],
    [{ tools: [{ name: 'a b', input_schema: {} }] }, 'Tool names'],
    [{ tools: [...tools, ...tools] }, "'tools[1].name'"],
  ])('names the field of %j', async (body, words) => {
    const { status, type, message } = await refusal(body)
    expect({ status, type }).toEqual({ status: 400, type: 'invalid_request_error' })
    expect(message).toContain(words)
  })

  it('has the status and the type of its kind', async () => {
    expect(await refusal({ model: 'nothing' }, { specs: [{}, { id: 'two' }] })).toMatchObject({
      status: 404,
      type: 'not_found_error',
    })
    await using app = createTestApp()
    const wrongMethod = await app.get(path)
    expect(wrongMethod.status).toBe(405)
    expect(anthropicErrorSchema.parse(await wrongMethod.json()).error.type).toBe('invalid_request_error')
    const headers = { 'content-length': String(2 ** 40) }
    const long = await app.post(path, ask, { headers })
    expect(long.status).toBe(413)
    expect(anthropicErrorSchema.parse(await long.json()).error.type).toBe('request_too_large')
  })
})
