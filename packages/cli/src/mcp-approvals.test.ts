import OpenAI from 'openai'
import type { Response, Tool } from 'openai/resources/responses/responses'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { free, typesOf, WikiGateway } from './fixtures/wiki-gateway.ts'

const connect = (baseURL: string): OpenAI => new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 })

let wiki: WikiGateway
beforeAll(async () => {
  wiki = await WikiGateway.start(connect)
})
afterAll(() => wiki[Symbol.asyncDispose]())

describe('/v1/responses with the tools of an MCP server', () => {
  it('asks before a call unless the request says otherwise, and runs it once when it is approved', async () => {
    const tools = [{ type: 'mcp', server_label: 'wiki' }]
    const first = await wiki.ask('Q: remove', { tools })
    expect(typesOf(first)).toEqual(['mcp_list_tools', 'message', 'mcp_approval_request'])
    expect(wiki.calls.deleted).toEqual([])
    const request = first.output.at(-1)!
    expect(request).toEqual({
      type: 'mcp_approval_request',
      id: expect.stringMatching(/^mcpr_/) as string,
      server_label: 'wiki',
      name: 'delete',
      arguments: '{"page":"Home"}',
    })
    const answer = (approve: boolean, previous: string) =>
      wiki.client.responses.create({
        model: 'test',
        tools: tools as Tool[],
        previous_response_id: previous,
        input: [
          { type: 'mcp_approval_response', approval_request_id: request.id!, approve, reason: 'Keep it.' },
        ],
      })
    const denied = await answer(false, first.id)
    expect(denied.output_text).toBe('Then not.')
    expect(wiki.prompts.at(-1)).toContain('The user did not approve this call. Keep it.')
    expect(wiki.calls.deleted).toEqual([])
    const approved = await answer(true, first.id)
    expect(typesOf(approved)).toEqual(['mcp_call', 'message'])
    expect(approved.output[0]).toMatchObject({
      approval_request_id: request.id,
      arguments: '{"page":"Home"}',
      output: 'Home is gone.',
      status: 'completed',
    })
    expect(approved.output_text).toBe('Done.')
    expect(wiki.calls.deleted).toEqual(['Home'])
    await answer(true, approved.id)
    expect(wiki.calls.deleted).toEqual(['Home'])
    const items = await wiki.client.responses.inputItems.list(approved.id)
    expect(items.data.map(({ type }) => type)).toContain('mcp_approval_response')
  })

  it('takes the dialogue from the client as well, with approvals', async () => {
    const tools = [{ type: 'mcp', server_label: 'wiki' }] as Tool[]
    const first = await wiki.ask('Q: remove', { tools, store: false })
    const request = first.output.find(({ type }) => type === 'mcp_approval_request')!
    const response = await wiki.client.responses.create({
      model: 'test',
      tools,
      store: false,
      input: [
        { role: 'user', content: 'Q: remove' },
        ...(first.output as OpenAI.Responses.ResponseInputItem[]),
        { type: 'mcp_approval_response', approval_request_id: request.id!, approve: true },
      ],
    })
    expect(response.output_text).toBe('Done.')
    expect(typesOf(response)).toEqual(['mcp_call', 'message'])
    await expect(
      wiki.client.responses.create({
        model: 'test',
        tools,
        input: [{ type: 'mcp_approval_response', approval_request_id: 'mcpr_none', approve: true }],
      }),
    ).rejects.toThrow('the dialogue has no mcp_approval_request of that id')
  })

  it('asks for approval by the rules of the request', async () => {
    const rules = [
      [{ never: { tool_names: ['search'] } }, 'mcp_call'],
      [{ never: { read_only: true } }, 'mcp_call'],
      [{ never: { tool_names: ['delete'] } }, 'mcp_approval_request'],
      [{ always: { read_only: false }, never: { read_only: true } }, 'mcp_call'],
      [{ always: { tool_names: ['search'] }, never: {} }, 'mcp_approval_request'],
      ['always', 'mcp_approval_request'],
    ] as const
    for (const [rule, type] of rules) {
      const response = await wiki.ask('What is there?', { tools: [{ ...free, require_approval: rule }] })
      expect(typesOf(response), JSON.stringify(rule)).toContain(type)
    }
  })

  it('bounds what a client sends as calls and approvals', async () => {
    const deep = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    const input = (items: readonly object[]) => [{ role: 'user', content: 'Q: tame' }, ...items] as never
    const item = { server_label: 'wiki', name: 'delete', arguments: deep }
    const called = await wiki.ask(input([{ type: 'mcp_call', ...item, id: 'x', output: 'Nothing.' }]))
    expect(called.output_text).toBe('There is nothing.')
    const approvals = Array.from({ length: 65 }, (_, index) => [
      { type: 'mcp_approval_request', ...item, arguments: index === 0 ? deep : '{}', id: `r${index}` },
      { type: 'mcp_approval_response', approval_request_id: `r${index}`, approve: true },
    ])
    await expect(wiki.ask(input(approvals.flat()))).rejects.toThrow('approves more than 64 calls')
    const before = wiki.calls.deleted.length
    const approved = await wiki.ask(input(approvals[0]!))
    expect(approved.output[1]).toMatchObject({ type: 'mcp_call', status: 'failed' })
    expect(wiki.calls.deleted).toHaveLength(before)
  })
})

/** A kept response that asks for approval, and how its request is answered. */
async function askedFor(page: string) {
  const tools = [{ type: 'mcp', server_label: 'wiki' }] as Tool[]
  const first = await wiki.ask(`Q: remove ${page}`, { tools })
  const request = first.output.at(-1)!
  const approval = { type: 'mcp_approval_response', approval_request_id: request.id!, approve: true } as const
  const send = (more: object = {}) =>
    wiki.client.responses.create({
      model: 'test',
      tools,
      previous_response_id: first.id,
      input: [approval],
      ...more,
    }) as Promise<Response>
  return { approval, send }
}

describe('approvals of calls of an MCP server', () => {
  it('run nothing if the request is refused', async () => {
    const { send } = await askedFor('A')
    const before = wiki.calls.deleted.length
    const refused = [
      [{ tool_choice: { type: 'function', name: 'none' } }, 400],
      [{ instructions: 'x'.repeat(20_000) }, 400],
    ] as const
    for (const [more, status] of refused) await expect(send(more)).rejects.toMatchObject({ status })
    expect(wiki.calls.deleted).toHaveLength(before)
    await send()
    expect(wiki.calls.deleted).toHaveLength(before + 1)
  })

  it('run nothing if there is no place for another answer, also where they have begun', async () => {
    const limited = connect(
      `${await wiki.startGateway({ limits: { perAddress: { parallelAnswers: 1 } } })}/v1`,
    )
    const approve = (name: string, signal?: AbortSignal) =>
      limited.responses.create(
        {
          model: 'test',
          tools: [free],
          input: [
            { type: 'mcp_approval_request', server_label: 'wiki', name, arguments: '{"page":"E"}', id: 'r' },
            { type: 'mcp_approval_response', approval_request_id: 'r', approve: true },
          ],
        },
        { signal },
      )
    const [begun, deleted] = [wiki.calls.begun, wiki.calls.deleted.length]
    const stop = new AbortController()
    const running = approve('wait', stop.signal)
    await expect.poll(() => wiki.calls.begun).toBe(begun + 1)
    await expect(approve('delete')).rejects.toMatchObject({ status: 429 })
    expect(wiki.calls.deleted).toHaveLength(deleted)
    stop.abort()
    await expect(running).rejects.toThrow()
  })

  it('run a call once, and a repeat has its result', async () => {
    const { send } = await askedFor('B')
    const before = wiki.calls.deleted.length
    const first = await send()
    const again = await send()
    expect(again.output[0]).toMatchObject({ type: 'mcp_call', output: 'Home is gone.' })
    expect(again.output_text).toBe('Done.')
    await wiki.client.responses.delete(first.id)
    await expect(send()).rejects.toMatchObject({ status: 409, code: 'approval_used' })
    await expect(send({ store: false, stream: true })).rejects.toMatchObject({ status: 409 })
    expect(wiki.calls.deleted).toHaveLength(before + 1)
  })

  it('run a call once if several requests come at the same time', async () => {
    const { send } = await askedFor('C')
    const before = wiki.calls.deleted.length
    const results = await Promise.allSettled([send(), send({ store: false }), send()])
    expect(wiki.calls.deleted).toHaveLength(before + 1)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ status: 409 })
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
  })

  it('are refused if one request has two answers', async () => {
    const { approval, send } = await askedFor('D')
    const before = wiki.calls.deleted.length
    const refusal = { ...approval, approve: false }
    for (const input of [
      [approval, refusal],
      [refusal, approval],
      [approval, approval],
    ])
      await expect(send({ input })).rejects.toThrow('Send one answer to each request')
    const denied = await send({ input: [refusal] })
    await expect(send({ previous_response_id: denied.id })).rejects.toThrow('Send one answer')
    expect(wiki.calls.deleted).toHaveLength(before)
  })

  it('share the places of the account with /api/tools, and wait for them', async () => {
    const input = Array.from({ length: 40 }, (_, index) => [
      { type: 'mcp_approval_request', server_label: 'wiki', name: 'slow', arguments: '{}', id: `r${index}` },
      { type: 'mcp_approval_response', approval_request_id: `r${index}`, approve: true },
    ]).flat()
    const approve = (items: readonly object[]) => wiki.ask(items as never)
    const one = approve(input)
    await expect.poll(() => wiki.calls.slow).toBe(2)
    const others = Array.from({ length: 4 }, () => approve(input.slice(0, 8)))
    await expect.poll(() => wiki.calls.slow).toBe(8)
    const refused = await fetch(`${wiki.url}/api/tools/call`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'time', arguments: {} }),
    })
    expect(refused.status).toBe(429)
    wiki.releaseSlow()
    const counts = (await Promise.all([one, ...others])).map(
      (response) => typesOf(response).filter((type) => type === 'mcp_call').length,
    )
    expect(counts).toEqual([40, 4, 4, 4, 4])
    expect(wiki.calls.most).toBe(8)
  })
})
