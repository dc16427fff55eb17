import { describe, expect, it, onTestFinished } from 'vitest'
import { toolsConfigSchema } from '../config.ts'
import { WebServer } from '../testing/index.ts'
import { createToolBox } from '../tool-box.ts'

interface Asked {
  readonly id?: number | string
  readonly method?: string
  readonly params?: { readonly cursor?: string }
}

type Answer = (asked: Asked, request: Request) => Response | Promise<Response>

const json = (body: unknown, init: ResponseInit = {}): Response =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  })
const result = ({ id }: Asked, value: object): Response => json({ jsonrpc: '2.0', id, result: value })
const tool = (name: string, extra: object = {}) => ({ name, inputSchema: { type: 'object' }, ...extra })
const hang = (): Promise<Response> => new Promise(() => {})

/** A stream that sends the same chunk for as long as it is read. */
function endless(chunk: string, type = 'text/event-stream'): Response {
  const bytes = new TextEncoder().encode(chunk)
  return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(bytes) }), {
    headers: { 'content-type': type },
  })
}

/** A server that shakes hands as it should, and then does as `answers` says, by method. */
async function hostile(answers: Readonly<Record<string, Answer>>, config: object = {}) {
  const server = await WebServer.serve(async (request) => {
    if (request.method !== 'POST')
      return answers[request.method]?.({}, request) ?? new Response(null, { status: 405 })
    const asked = (await request.json()) as Asked
    const own = answers[asked.method ?? 'response']
    if (own) return own(asked, request)
    if (asked.id === undefined || asked.method === undefined) return new Response(null, { status: 202 })
    if (asked.method === 'initialize')
      return result(asked, {
        protocolVersion: '2025-06-18',
        capabilities: { tools: { listChanged: true } },
        serverInfo: { name: 'evil', version: '1' },
      })
    if (asked.method === 'tools/list') return result(asked, { tools: [tool('go')] })
    return json({ jsonrpc: '2.0', id: asked.id, error: { code: -32601, message: 'Method not found' } })
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const box = await createToolBox(
    toolsConfigSchema.parse({
      servers: [{ name: 'evil', url: server.url, headers: { authorization: 'Bearer sesame-open' } }],
      timeoutSeconds: 20,
      ...config,
    }),
    { version: '1' },
  )
  onTestFinished(() => box[Symbol.asyncDispose]())
  return { server, box }
}

const call = 'tools/call'
const list = 'tools/list'
const say = (text: string) => ({ content: [{ type: 'text', text }] })

describe('an answer to a call', () => {
  const attacks: Readonly<Record<string, readonly [Answer, RegExp]>> = {
    'never comes': [hang, /did not answer in time/],
    'is an endless stream of events': [
      () => endless(`data: ${'x'.repeat(8_000)}\n\n`),
      /more than \d+ bytes/,
    ],
    'is one endless event': [() => endless('data: x'.repeat(10_000)), /more than \d+ bytes/],
    'is endless JSON': [() => endless('['.repeat(10_000), 'application/json'), /more than \d+ bytes/],
    'is an endless error': [
      () => new Response(endless('x'.repeat(10_000)).body, { status: 500 }),
      /status 500/,
    ],
    'has another id': [(asked) => result({ ...asked, id: 987_654 }, say('wrong')), /in time/],
    'is no JSON': [() => json('<html>'), /can’t be read/],
    'is deep JSON': [
      ({ id }) =>
        json(
          `{"jsonrpc":"2.0","id":${id},"result":{"content":[],"_meta":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}`,
        ),
      /^$|can’t be read/,
    ],
    'is deep JSON in an event': [
      ({ id }) =>
        new Response(
          `data: {"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}}\n\n`,
          { headers: { 'content-type': 'text/event-stream' } },
        ),
      /can’t be read/,
    ],
    'is of another kind': [(asked) => result(asked, { content: 'text' }), /can’t be read|reports an error/],
    'is an error with what it was sent': [
      ({ id }, { headers }) =>
        json({
          jsonrpc: '2.0',
          id,
          error: { code: -1, message: `you sent ${headers.get('authorization')}` },
        }),
      /reports an error: .*you sent …/,
    ],
    'asks for a key': [
      () =>
        new Response('no', {
          status: 401,
          headers: { 'www-authenticate': 'Bearer resource_metadata="http://127.0.0.1:1/steal"' },
        }),
      /refuses this server \(401\)\. Set its headers/,
    ],
    'asks for more rights': [
      () =>
        new Response('no', {
          status: 403,
          headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="all"' },
        }),
      /can’t be used/,
    ],
  }

  it.each(Object.entries(attacks))('%s', async (_name, [answer, text]) => {
    // Those that can only be waited for are not waited for long.
    const timeoutSeconds = text.source.endsWith('in time') ? 0.3 : 20
    const { box, server } = await hostile({ [call]: answer }, { timeoutSeconds })
    const { text: told, isError } = await box.call('evil__go', {})
    expect(told).toMatch(text)
    expect(told).not.toContain('sesame')
    expect(isError).toBe(told !== '')
    // The gateway goes on with it.
    server.handler = () => Promise.resolve(new Response(null, { status: 500 }))
    expect(await box.call('calculator', { expression: '6*7' })).toMatchObject({ text: '42' })
  })

  it('that leads elsewhere is not followed, and no key is sent there', async () => {
    const victim = await WebServer.serve(() => Promise.resolve(json({})))
    onTestFinished(() => victim[Symbol.asyncDispose]())
    for (const status of [301, 302, 303, 307, 308])
      for (const location of [victim.url, '/other']) {
        const { box, server } = await hostile({
          [call]: () => new Response(null, { status, headers: { location } }),
        })
        const before = server.requests.length
        expect((await box.call('evil__go', {})).text).toMatch(
          /redirects to another address, which is not followed/,
        )
        expect(server.requests.slice(before).filter(({ method }) => method === 'GET').length).toBeLessThan(2)
      }
    expect(victim.requests).toEqual([])
  })

  it('whose connection breaks is not asked for again: the tool may have run', async () => {
    let runs = 0
    const { box } = await hostile({
      [call]: () => {
        runs++
        return runs === 1 ? Promise.reject(new Error('broken')) : json({})
      },
    })
    expect(await box.call('evil__go', {})).toMatchObject({
      isError: true,
      text: expect.stringMatching(/the connection failed|it closed the connection/) as string,
    })
    expect(runs).toBe(1)
  })

  it('with an illegal or a huge session is a failure of the server alone', async () => {
    for (const session of ['\u00ff\u00fe', 'x'.repeat(12_000)]) {
      const { box } = await hostile({
        initialize: (asked) =>
          json(
            {
              jsonrpc: '2.0',
              id: asked.id,
              result: {
                protocolVersion: '2025-06-18',
                capabilities: { tools: {} },
                serverInfo: { name: 'e', version: '1' },
              },
            },
            { headers: { 'mcp-session-id': session } },
          ),
      })
      const [builtIn, evil] = await box.list()
      expect(builtIn!.tools).toHaveLength(2)
      expect(evil!.state).toBeOneOf(['ready', 'unreachable'])
    }
  })

  it('asks back without end', async () => {
    const asks = Array.from(
      { length: 20_000 },
      (_, id) => `data: {"jsonrpc":"2.0","id":${id},"method":"ping"}\n\n`,
    )
    const { box, server } = await hostile({
      [call]: () => new Response(asks.join(''), { headers: { 'content-type': 'text/event-stream' } }),
      response: hang,
    })
    expect((await box.call('evil__go', {})).text).toContain('it leaves 64 requests unanswered')
    expect(server.requests.length).toBeLessThan(90)
  })
})

describe('a list', () => {
  const listed = async (answer: Answer) => {
    const { box, server } = await hostile({ [list]: answer })
    return { source: (await box.source('evil'))!, server, box }
  }

  it('of a million tools is not read to its end', async () => {
    const many = Array.from(
      { length: 1_000_000 },
      (_, index) => `{"name":"t${index}","inputSchema":{"type":"object"}}`,
    )
    const { source } = await listed(({ id }) =>
      json(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[${many.join()}]}}`),
    )
    expect(source).toMatchObject({ state: 'unreachable', tools: [] })
    expect(source.problem).toContain('it sent more than 1048576 bytes in one answer')
  })

  it('of more tools than fit ends with the last that fits', async () => {
    const { source } = await listed((asked) =>
      result(asked, { tools: Array.from({ length: 500 }, (_, index) => tool(`t${index}`)) }),
    )
    expect(source.tools).toHaveLength(128)
    expect(source.problem).toContain('more tools than fit')
  })

  it('whose pages never end is read to the last page that counts', async () => {
    let pages = 0
    const { source } = await listed((asked) =>
      result(asked, { tools: [tool(`t${++pages}`)], nextCursor: String(pages) }),
    )
    expect(source.problem).toBeUndefined()
    expect(pages).toBe(16)
    expect(source.tools).toHaveLength(16)
  })

  it('of huge, deep and doubled tools keeps the others', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`) as object
    const { source } = await listed((asked) =>
      result(asked, {
        tools: [
          tool('long'.repeat(50)),
          tool('huge', { inputSchema: { type: 'object', description: 'x'.repeat(40_000) } }),
          tool('deep', { inputSchema: { type: 'object', properties: deep } }),
          tool('good', { description: 'a', annotations: { readOnlyHint: true, title: 'Good' } }),
          tool('good', { description: 'b' }),
          tool('ü'),
          tool('ö'),
          tool(''),
        ],
      }),
    )
    expect(source.tools.map(({ ownName }) => ownName)).toEqual(['good', 'ü', 'ö'])
    expect(source.tools[0]).toMatchObject({ description: 'a', title: 'Good' })
    const names = source.tools.map(({ name }) => name)
    expect(new Set(names).size).toBe(3)
    for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/)
    expect(source.problem).toMatch(/huge.*characters|long.*characters/)
  })

  it('that never comes does not stall the other tools', async () => {
    const { box } = await hostile({ [list]: hang })
    const [builtIn, evil] = await box.list({ waitMs: 50 })
    expect(builtIn!.state).toBe('ready')
    expect(evil).toMatchObject({ state: 'connecting', tools: [] })
  })
})

describe('notifications', () => {
  it('that flood, or whose stream ends at once, cause few requests', async () => {
    let streams = 0
    let lists = 0
    const flood = 'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    const { box } = await hostile({
      GET: () => {
        streams++
        return new Response(`retry: 0\nid: 1\n${flood.repeat(10_000)}`, {
          headers: { 'content-type': 'text/event-stream' },
        })
      },
      [list]: (asked) => {
        lists++
        return result(asked, { tools: [tool('go')] })
      },
      [call]: (asked) => result(asked, say('fine')),
    })
    for (let times = 0; times < 20; times++)
      expect(await box.call('evil__go', {})).toMatchObject({ text: 'fine' })
    expect(streams).toBeLessThan(10)
    expect(lists).toBeLessThan(25)
  })
})
