import { responseEventSchema, responseSchema } from '@petals-chat/api'
import OpenAI from 'openai'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { free, harmless, injection, typesOf, WikiGateway } from './fixtures/wiki-gateway.ts'

const connect = (baseURL: string): OpenAI => new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 })

let wiki: WikiGateway
beforeAll(async () => {
  wiki = await WikiGateway.start(connect)
})
afterAll(() => wiki[Symbol.asyncDispose]())

async function streamed(input: string, more: object = {}): Promise<readonly ResponseStreamEvent[]> {
  const stream = await wiki.client.responses.create({
    model: 'test',
    input,
    tools: [free],
    ...more,
    stream: true,
  })
  const events: ResponseStreamEvent[] = []
  for await (const event of stream) {
    expect(responseEventSchema.parse(event)).toEqual(event)
    events.push(event)
  }
  return events
}

describe('/v1/responses with the tools of an MCP server', () => {
  it('calls them until the model answers', async () => {
    const response = await wiki.ask('What is there?')
    expect(responseSchema.parse(response)).toBeTruthy()
    expect(typesOf(response)).toEqual(['mcp_list_tools', 'message', 'mcp_call', 'message'])
    const [list, , call] = response.output
    expect(list).toMatchObject({ server_label: 'wiki', error: null })
    expect(list).toHaveProperty('tools.length', 5)
    expect(call).toMatchObject({
      server_label: 'wiki',
      name: 'search',
      arguments: '{"query": "petals"}'.replace(' ', ''),
      output: 'About petals: all.',
      error: null,
      status: 'completed',
    })
    expect(response.output_text).toBe('I look. All of it.')
    expect(response.status).toBe('completed')
    expect(response.usage!.output_tokens).toBeGreaterThan(40)
    expect(response.tools).toEqual([free])
  })

  it('streams the events of the reference, in their order', async () => {
    const events = await streamed('What is there?')
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    const types = events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.mcp_list_tools.in_progress',
      'response.mcp_list_tools.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.mcp_call.in_progress',
      'response.mcp_call_arguments.delta',
      'response.mcp_call_arguments.done',
      'response.mcp_call.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
  })

  it('tells the model only of the tools that are allowed', async () => {
    const listed = async (allowed: unknown) => {
      const { output } = await wiki.ask('Q: loop', { tools: [{ ...free, allowed_tools: allowed }] })
      const list = output[0] as { readonly tools: readonly { readonly name: string }[] }
      return list.tools.map(({ name }) => name)
    }
    expect(await listed(['delete'])).toEqual(['delete'])
    expect(await listed({ read_only: true })).toEqual(['search'])
    expect(await listed({ tool_names: [] })).toEqual([])
  })

  it('ends a loop by its rounds, and by the calls that the request allows', async () => {
    const response = await wiki.ask('Q: loop')
    expect(typesOf(response).filter((type) => type === 'mcp_call')).toHaveLength(3)
    expect(response.status).toBe('completed')
    const one = await wiki.ask('Q: loop', { max_tool_calls: 1 })
    expect(typesOf(one).filter((type) => type === 'mcp_call')).toHaveLength(1)
  })

  it('leaves the client’s own functions to the client', async () => {
    const response = await wiki.ask('Q: both', {
      tools: [free, { type: 'function', name: 'weather', parameters: { type: 'object' }, strict: false }],
    })
    expect(typesOf(response)).toEqual(['mcp_list_tools', 'mcp_call', 'function_call'])
    expect(response.output[1]).toMatchObject({ output: 'About petals: all.', status: 'completed' })
    expect(response.output[2]).toMatchObject({ name: 'weather', arguments: '{"city":"Paris"}' })
  })

  it('has the built-in tools as a server', async () => {
    const response = await wiki.ask('Q: time', { tools: [{ ...free, server_label: 'builtin' }] })
    expect(typesOf(response)).toContain('mcp_call')
    expect(response.output_text).toBe('Late.')
  })

  it('gives results to the model as text, whatever they contain', async () => {
    const evil = await wiki.ask('Q: evil')
    expect(evil.output_text).toBe('There is nothing.')
    expect(evil.output[1]).toMatchObject({ output: injection })
    // As many tokens as for the same text without control tokens: a control token would be one for many bytes.
    const tame = await wiki.ask('Q: tame')
    expect(tame.output[1]).toMatchObject({ output: harmless })
    expect(evil.usage!.input_tokens).toBe(tame.usage!.input_tokens)
  })

  it('cuts a result that the context is too short for, and only for the model', async () => {
    const response = await wiki.ask('Q: book')
    expect(response.output_text).toBe('Read.')
    expect(response.output[1]).toHaveProperty('output.length', 19_016)
    expect(wiki.prompts.at(-1)).toMatch(/Ishmael\.x{1000,12000}\n\[The rest is left out/)
  })

  it('has what failed as an error of the call, and the model goes on', async () => {
    const response = await wiki.ask('Q: wrong')
    const call = response.output.find(({ type }) => type === 'mcp_call')
    expect(call).toMatchObject({
      status: 'failed',
      output: null,
      error: expect.stringMatching(/invalid/i) as string,
    })
    expect(response.output_text).toBe('It failed.')
  })

  it('stops the call at its server when the client goes, and when the response is cancelled', async () => {
    const stop = new AbortController()
    const request = wiki.client.responses.create(
      { model: 'test', input: 'Q: hang', tools: [free] },
      { signal: stop.signal },
    )
    await expect.poll(() => wiki.calls.begun).toBe(1)
    stop.abort()
    await expect(request).rejects.toThrow()
    await expect.poll(() => wiki.calls.cancelled).toBe(1)
    const background = await wiki.ask('Q: hang', { background: true })
    await expect.poll(() => wiki.calls.begun).toBe(2)
    const cancelled = await wiki.client.responses.cancel(background.id)
    expect(cancelled.status).toBe('cancelled')
    expect(cancelled.output.at(-1)).toMatchObject({ type: 'mcp_call', status: 'incomplete' })
    await expect.poll(() => wiki.calls.cancelled).toBe(2)
  })

  it('refuses servers that the configuration does not name, in words', async () => {
    const refusals = [
      [{ server_url: 'http://127.0.0.1:9/mcp' }, 'this server connects to no address that a request names'],
      [{ connector_id: 'connector_gmail' }, 'this server connects to no address that a request names'],
      [{ authorization: 'x' }, 'gets the headers of the configuration'],
      [{ headers: { a: 'b' } }, 'gets the headers of the configuration'],
      [{ server_label: 'other' }, "is named 'other'"],
    ] as const
    for (const [more, words] of refusals)
      await expect(wiki.ask('x', { tools: [{ ...free, ...more }] })).rejects.toThrow(words)
    await expect(wiki.ask('x', { tools: [free, free] })).rejects.toThrow(
      "the MCP server 'wiki' is there twice",
    )
  })
})
