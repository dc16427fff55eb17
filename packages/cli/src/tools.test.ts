import { connect } from 'node:net'
import { once } from 'node:events'
import type { ToolListBody, ToolResultBody } from '@petals-chat/api'
import { createModelRegistry, loadableModel, modelSpecSchema, silentLogger } from '@petals-chat/engine'
import { freePort, ScriptedEngine } from '@petals-chat/engine/testing'
import { createGateway, createPrometheusMetrics, gatewayConfigSchema } from '@petals-chat/gateway'
import { createToolBox, toolsConfigSchema } from '@petals-chat/tools'
import { type McpServer, McpTestServer } from '../../tools/src/testing/index.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { describeServers, toolsCheck } from './doctor/tools-check.ts'

const calls = { begun: 0, cancelled: 0 }

function wikiTools(server: McpServer): void {
  server.registerTool(
    'search',
    {
      description: 'Finds a page.',
      inputSchema: z.object({ query: z.string() }),
      annotations: { readOnlyHint: true },
    },
    ({ query }) => ({ content: [{ type: 'text', text: `About ${query}: nothing.` }] }),
  )
  server.registerTool('wait', {}, async ({ mcpReq: { signal } }) => {
    calls.begun++
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    calls.cancelled++
    return { content: [] }
  })
}

let resources: AsyncDisposableStack
let url: string
let wiki: McpTestServer

beforeAll(async () => {
  resources = new AsyncDisposableStack()
  wiki = resources.use(await McpTestServer.start({ tools: wikiTools }))
  const config = toolsConfigSchema.parse({
    servers: [
      { name: 'wiki', url: wiki.url },
      { name: 'gone', url: `http://127.0.0.1:${await freePort()}/mcp` },
    ],
  })
  const tools = resources.use(await createToolBox(config, { version: '1.0.0' }))
  const engine = resources.use(new ScriptedEngine({}))
  const spec = modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' })
  const registry = resources.use(createModelRegistry({ models: [loadableModel(spec, engine)] }))
  const gateway = resources.use(
    createGateway(gatewayConfigSchema.parse({ port: 0 }), {
      registry,
      tools,
      logger: silentLogger,
      metrics: createPrometheusMetrics(),
      version: '1.0.0',
    }),
  )
  ;({ url } = await gateway.listen())
})
afterAll(() => resources.disposeAsync())

const call = (body: unknown, init: RequestInit = {}) =>
  fetch(`${url}/api/tools/call`, { method: 'POST', body: JSON.stringify(body), ...init })

describe('the tools of the page', () => {
  it('are listed with their servers, also those that can’t be reached', async () => {
    const list = (await (await fetch(`${url}/api/tools`)).json()) as ToolListBody
    expect(list.limits).toEqual({ maxRounds: 8, timeoutSeconds: 30, maxResultChars: 20_000 })
    const [builtIn, first, gone] = list.servers
    expect(builtIn).toMatchObject({ name: 'builtin', builtIn: true, state: 'ready' })
    expect(builtIn!.tools.map(({ name, readOnly }) => [name, readOnly])).toEqual([
      ['time', true],
      ['calculator', true],
    ])
    expect(first).toMatchObject({ name: 'wiki', title: 'Test server', builtIn: false, state: 'ready' })
    expect(first!.tools[0]).toEqual({
      name: 'wiki__search',
      description: 'Finds a page.',
      inputSchema: expect.objectContaining({ type: 'object' }) as object,
      readOnly: true,
      version: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    })
    expect(gone).toMatchObject({ name: 'gone', state: 'unreachable', tools: [] })
    expect(gone!.problem).toBe("The MCP server 'gone' can’t be used: nothing listens at that address.")
  })

  it('are called, and what fails is a result', async () => {
    const result = async (name: string, input: object) =>
      (await (await call({ name, arguments: input })).json()) as ToolResultBody
    expect(await result('wiki__search', { query: 'petals' })).toMatchObject({
      text: 'About petals: nothing.',
      isError: false,
      truncated: false,
    })
    expect(await result('wiki__search', {})).toMatchObject({ isError: true })
    expect(await result('calculator', { expression: '6*7' })).toMatchObject({ text: '42' })
    expect(await result('calculator', { expression: '6*' })).toMatchObject({ isError: true })
  })

  it('are not called once they are others than those that were listed', async () => {
    const { servers } = (await (await fetch(`${url}/api/tools`)).json()) as ToolListBody
    const { version } = servers[0]!.tools.find(({ name }) => name === 'calculator')!
    const calculate = { name: 'calculator', arguments: { expression: '6*7' } }
    expect((await call({ ...calculate, version })).status).toBe(200)
    const changed = await call({ ...calculate, version: '0123456789abcdef' })
    expect(changed.status).toBe(409)
    expect(await changed.json()).toMatchObject({ error: { code: 'tool_changed' } })
  })

  it('refuses what is no call, in words and in the shape of /v1', async () => {
    const unknown = await call({ name: 'wiki__none', arguments: {} })
    expect(unknown.status).toBe(404)
    expect(await unknown.json()).toMatchObject({
      error: { code: 'unknown_tool', type: 'invalid_request_error' },
    })
    for (const body of [
      { name: 'time' },
      { name: 'time', arguments: 'x' },
      { arguments: {} },
      { name: 'time', arguments: {}, url: 'x' },
    ])
      expect((await call(body)).status).toBe(400)
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    expect((await call({ name: 'time', arguments: {} }, { headers })).status).toBe(403)
  })

  it('are cancelled at their server when the connection is closed', async () => {
    const stop = new AbortController()
    const request = call({ name: 'wiki__wait', arguments: {} }, { signal: stop.signal })
    await expect.poll(() => calls.begun).toBe(1)
    stop.abort()
    await expect(request).rejects.toThrow()
    await expect.poll(() => calls.cancelled).toBe(1)
  })

  it('run at most eight calls of one caller at the same time', async () => {
    const stop = new AbortController()
    const many = Array.from({ length: 8 }, () =>
      call({ name: 'wiki__wait', arguments: {} }, { signal: stop.signal }).catch(() => undefined),
    )
    await expect.poll(() => calls.begun).toBe(9)
    const refused = await call({ name: 'time', arguments: {} })
    expect(refused.status).toBe(429)
    stop.abort()
    await Promise.all(many)
    await expect.poll(async () => (await call({ name: 'time', arguments: {} })).status).toBe(200)
  })

  it('survive a connection that is cut in the middle of the request', async () => {
    const { port, hostname } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(
      `POST /api/tools/call HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-length: 500\r\n\r\n{"name":`,
    )
    socket.destroy()
    expect((await call({ name: 'time', arguments: {} })).status).toBe(200)
  })
})

describe('the doctor', () => {
  const check = (servers: readonly object[]) =>
    toolsCheck.run({ config: { tools: toolsConfigSchema.parse({ servers }) } } as never)

  it('says which MCP servers answer', async () => {
    expect(await check([])).toMatchObject({ status: 'ok', message: 'no MCP server is configured' })
    expect(await check([{ name: 'wiki', url: wiki.url }])).toMatchObject({
      status: 'ok',
      message: 'wiki: 2 tools',
    })
    expect(await check([{ name: 'gone', url: `http://127.0.0.1:${await freePort()}/mcp` }])).toMatchObject({
      status: 'warning',
      message: "MCP servers don't answer: gone",
      advice: expect.stringContaining('nothing listens') as string,
    })
    expect(await check([{ name: 'wiki', url: wiki.url, allowedTools: ['none'] }])).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining("no tool 'none'") as string,
    })
    expect(describeServers([])).toMatchObject({ status: 'ok' })
  })
})
