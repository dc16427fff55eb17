import { z } from 'zod'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bounds } from '../bounds.ts'
import { toolsConfigSchema } from '../config.ts'
import { createToolBox } from '../tool-box.ts'
import { type McpServer, McpTestServer } from '../testing/index.ts'

let running = 0
let cancelled = 0

function tools(server: McpServer): void {
  server.registerTool(
    'add',
    {
      title: 'Add',
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      annotations: { readOnlyHint: true },
    },
    ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }] }),
  )
  server.registerTool('fails', {}, () => {
    throw new Error('the disk is full')
  })
  server.registerTool('shout.at-everyone', { description: 'x'.repeat(10_000) }, () => ({
    content: [
      { type: 'text', text: `${'a'.repeat(98)}😀` },
      { type: 'text', text: 'b'.repeat(10_000) },
    ],
  }))
  server.registerTool('hangs', {}, async (context) => {
    running++
    const { signal } = context.mcpReq
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    cancelled++
    return { content: [] }
  })
}

/** Waits as long as a busy machine may need. */
const eventually = <Value>(value: () => Value | Promise<Value>) => expect.poll(value, { interval: 20 })

interface Settings {
  readonly era?: 2025 | 2026
  readonly config?: object
  readonly server?: object
}

async function start({ era = 2025, config = {}, server: given = {} }: Settings = {}) {
  const server = await McpTestServer.start({ tools, era })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return { server, box: await boxFor(server.url, config, given) }
}

async function boxFor(url: string, config: object = {}, server: object = {}) {
  const box = await createToolBox(
    toolsConfigSchema.parse({
      servers: [{ name: 'wiki', url, headers: { authorization: 'Bearer sesame' }, ...server }],
      ...config,
    }),
    { version: '1.2.3' },
  )
  onTestFinished(() => box[Symbol.asyncDispose]())
  return box
}

describe.each([2025, 2026] as const)('a server of %i', (era) => {
  it('is listed with tools whose names models can call', async () => {
    const { box, server } = await start({ era })
    const [builtIn, wiki] = await box.list()
    expect(builtIn).toMatchObject({ name: 'builtin', builtIn: true, state: 'ready' })
    expect(builtIn!.tools.map(({ name }) => name)).toEqual(['time', 'calculator'])
    expect(wiki).toMatchObject({ name: 'wiki', title: 'Test server', builtIn: false, state: 'ready' })
    const names = wiki!.tools.map(({ name }) => name)
    expect(names).toEqual([
      'wiki__add',
      'wiki__fails',
      expect.stringMatching(/^wiki__shout_at-everyone_[0-9a-f]{8}$/),
      'wiki__hangs',
    ])
    expect(wiki!.tools[0]).toMatchObject({
      ownName: 'add',
      title: 'Add',
      description: 'Adds two numbers.',
      readOnly: true,
      inputSchema: { type: 'object', required: ['a', 'b'] },
    })
    expect(wiki!.tools[1]).toMatchObject({ readOnly: false, description: '' })
    expect(wiki!.tools[2]!.description).toHaveLength(4096)
    for (const { headers } of server.requests) expect(headers.get('authorization')).toBe('Bearer sesame')
  })

  it('runs calls, and says what fails', async () => {
    const { box } = await start({ era, config: { maxResultChars: 100 } })
    expect(await box.call('wiki__add', { a: 2, b: 40 })).toEqual({
      text: '42',
      isError: false,
      truncated: false,
      elapsedMs: expect.any(Number) as number,
    })
    expect(await box.call('wiki__fails', {})).toMatchObject({ text: 'the disk is full', isError: true })
    expect(await box.call('wiki__add', { a: 'x' })).toMatchObject({ isError: true })
    const shout = (await box.list())[1]!.tools[2]!.name
    const { text, truncated } = await box.call(shout, {})
    expect(truncated).toBe(true)
    // The pair of surrogates fits; nothing after it does.
    expect(text).toBe(`${'a'.repeat(98)}😀`)
  })

  it('hears that a call is cancelled', async () => {
    const { box } = await start({ era })
    const before = { running, cancelled }
    const stop = new AbortController()
    const call = box.call('wiki__hangs', {}, { signal: stop.signal })
    await eventually(() => running).toBe(before.running + 1)
    stop.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    await eventually(() => cancelled).toBe(before.cancelled + 1)
  })

  it('has at most 16 calls to do at a time, and is not blamed for those that wait', async () => {
    const { box } = await start({ era })
    const before = running
    const stop = new AbortController()
    const hanging = Array.from({ length: 40 }, () => box.call('wiki__hangs', {}, { signal: stop.signal }))
    await eventually(() => running).toBe(before + bounds.callsOfServer)
    const added = box.call('wiki__add', { a: 1, b: 2 })
    stop.abort(new Error('enough'))
    await Promise.all(hanging.map((call) => expect(call).rejects.toThrow('enough')))
    expect(await added).toMatchObject({ text: '3', isError: false })
    expect(running).toBe(before + bounds.callsOfServer)
  })

  it('hears that the time of a call is over', async () => {
    const { box } = await start({ era, config: { timeoutSeconds: 0.3 } })
    const before = cancelled
    expect(await box.call('wiki__hangs', {})).toMatchObject({
      isError: true,
      text: "The MCP server 'wiki' can’t be used: it did not answer in time.",
    })
    await eventually(() => cancelled).toBe(before + 1)
  })

  it('offers only what the configuration allows', async () => {
    const { box } = await start({ era, server: { allowedTools: ['add', 'gone'] } })
    const wiki = await box.source('wiki')
    expect(wiki!.tools.map(({ name }) => name)).toEqual(['wiki__add'])
    expect(wiki!.problem).toContain("no tool 'gone'")
    expect(await box.find('wiki__hangs')).toBeUndefined()
    await expect(box.call('wiki__hangs', {})).rejects.toThrow(RangeError)
  })
})

describe('a server that changes', () => {
  it('is listed again when it says so', async () => {
    const { box, server } = await start()
    expect((await box.source('wiki'))!.tools).toHaveLength(4)
    // The stream of notifications opens after the handshake.
    await eventually(() => server.requests.some(({ method }) => method === 'GET')).toBe(true)
    server.sessions[0]!.registerTool('new', {}, () => ({ content: [] }))
    await eventually(async () => (await box.source('wiki'))!.tools.length).toBe(5)
  })

  it('is connected again when it has forgotten the session, and the call runs once', async () => {
    const { box, server } = await start()
    await box.list()
    server.forget()
    expect(await box.call('wiki__add', { a: 1, b: 2 })).toMatchObject({ text: '3', isError: false })
  })

  it('is connected again after it has gone and come back', async () => {
    const first = await McpTestServer.start({ tools })
    const { port, url } = first
    const box = await boxFor(url)
    expect((await box.source('wiki'))!.state).toBe('ready')
    await first[Symbol.asyncDispose]()
    expect(await box.call('wiki__add', { a: 1, b: 2 })).toMatchObject({ isError: true })
    expect(await box.source('wiki')).toMatchObject({
      state: 'unreachable',
      problem: "The MCP server 'wiki' can’t be used: nothing listens at that address.",
    })
    const second = await McpTestServer.start({ tools, port })
    onTestFinished(() => second[Symbol.asyncDispose]())
    await eventually(async () => (await box.source('wiki'))!.state).toBe('ready')
    expect(await box.call('wiki__add', { a: 1, b: 2 })).toMatchObject({ text: '3' })
  })

  it('is listed as connecting while it is awaited, and ends with the tool box', async () => {
    const server = await McpTestServer.start({ tools })
    onTestFinished(() => server[Symbol.asyncDispose]())
    const { handler } = server
    const gate = Promise.withResolvers<void>()
    server.handler = async (request) => {
      await gate.promise
      return handler(request)
    }
    const box = await boxFor(server.url)
    expect(await box.source('wiki', { waitMs: 20 })).toMatchObject({ state: 'connecting', tools: [] })
    gate.resolve()
    expect(await box.source('wiki')).toMatchObject({ state: 'ready' })
    await box[Symbol.asyncDispose]()
    await eventually(() => server.sessions.length).toBe(0)
  })
})
