import { ModelUnavailableError, noTools, type ToolSource } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ResponseStore } from '../../answers/response-store.ts'
import { asCaller, TestCallers } from '../../fixtures/test-callers.ts'
import type { Gateway } from '../../gateway.ts'
import { end, startGateway, TestRemote, words } from './fixtures/test-remote.ts'

let big: TestRemote
let other: TestRemote
let gateway: Gateway

function start(config: object = {}, more?: Parameters<typeof startGateway>[2]): void {
  gateway = startGateway([big, other], config, more)
}

beforeEach(() => {
  big = new TestRemote('big', { maxAnswers: 1, fallback: 'other' })
  other = new TestRemote('other')
  start()
})
afterEach(() => gateway[Symbol.asyncDispose]())

const messages = [{ role: 'user', content: 'Hello' }]
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests inspect any response
type Body = any
async function post(fields: object, headers = {}, path = '/v1/chat/completions'): Promise<Body> {
  const init = { method: 'POST', headers, body: JSON.stringify({ model: 'big', ...fields }) }
  return (await gateway.app.request(path, init)).json()
}

describe('a request for a model of another server', () => {
  it('has the fields of the API in their usual notation, and the defaults of the entry', async () => {
    const parameters = { type: 'object' }
    await post({
      messages: [
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'Be ' },
            { type: 'text', text: 'brief.' },
          ],
        },
        ...messages,
      ],
      tools: [{ type: 'function', function: { name: 'f', parameters } }],
      tool_choice: { type: 'tool', name: 'f' },
      random_seed: 7,
      max_new_tokens: 5,
      top_p: 0.5,
      user: 'alice',
      metadata: { secret: 'x' },
    })
    expect(big.asked[0]).toMatchObject({ kind: 'chat' })
    expect(big.asked[0]!.fields).toEqual({
      temperature: 0.3,
      top_p: 0.5,
      messages: [{ role: 'system', content: 'Be brief.' }, ...messages],
      tools: [{ type: 'function', function: { name: 'f', parameters } }],
      tool_choice: { type: 'function', function: { name: 'f' } },
      seed: 7,
      max_tokens: 5,
    })
  })

  it('has no field about functions where none may be called', async () => {
    const tools = [{ type: 'function', function: { name: 'f' } }]
    const fields = { messages, tools, parallel_tool_calls: false }
    await post({ ...fields, tool_choice: 'none' })
    expect(Object.keys(big.asked[0]!.fields)).toEqual(['temperature', 'messages'])
    await post(fields)
    expect(big.asked[1]!.fields).toMatchObject({ tool_choice: 'auto', parallel_tool_calls: false })
  })

  it('passes on how tokens are chosen, and nothing that reaches further', async () => {
    await post({ messages, mirostat: 2, min_tokens: 3 })
    expect(big.asked[0]!.fields).toMatchObject({ mirostat: 2, min_tokens: 3 })
    for (const field of ['chat_template', 'lora', 'vllm_xargs'])
      expect(await post({ messages, [field]: ['x'] })).toMatchObject({ error: { param: field } })
    await post({ messages, kv_transfer_params: { host: 'elsewhere' }, priority: -1 })
    expect(big.asked.at(-1)!.fields).not.toHaveProperty('kv_transfer_params')
    expect(big.asked.at(-1)!.fields).not.toHaveProperty('priority')
  })

  it('stays within the context, as far as it is known', async () => {
    await post({ messages, max_tokens: 900 })
    expect(big.asked[0]!.fields).toHaveProperty('max_tokens', 900)
    const long = [{ role: 'user', content: 'word '.repeat(2_000) }]
    expect(await post({ messages: long })).toMatchObject({ error: { code: 'context_length_exceeded' } })
  })

  it.each([
    ['a length beyond it', { messages, max_tokens: 5000 }],
    ['no length, where the usual one may not fit', { messages }],
    ['no length, after a text of many tokens', { messages: [{ role: 'user', content: '字'.repeat(600) }] }],
    [
      'no length, after a text of fewer tokens than the estimate',
      { messages: [{ role: 'user', content: ' '.repeat(4100) }] },
    ],
  ])('is asked without a length for %s: its context is known to the other server', async (_, request) => {
    await post(request)
    expect(big.asked[0]!.fields).not.toHaveProperty('max_tokens')
  })

  it('asks for several choices one after another, each with a seed of its own', async () => {
    const { choices, usage: total } = await post({ messages, n: 3, seed: 5 })
    expect(choices.map(({ index }: Body) => index)).toEqual([0, 1, 2])
    expect(big.asked.map(({ fields }) => fields['seed'])).toEqual([5, 6, 7])
    expect(total).toMatchObject({ prompt_tokens: 10, completion_tokens: 6 })
  })

  it('is asked with a seed of 64 bits modulo 2^32, and with one that means a new one as it is', async () => {
    await post({ messages, n: 2, seed: 2 ** 63 + 2 ** 20 })
    await post({ messages, n: 2, seed: -1 })
    expect(big.asked.map(({ fields }) => fields['seed'])).toEqual([2 ** 20, 2 ** 20 + 1, -1, -1])
  })

  it('that has been here before is refused: servers that ask each other in a circle would never end', async () => {
    await post({ messages }, { via: '1.1 proxy' })
    const { via } = big.asked[0]!
    expect(via).toMatch(/^1\.1 proxy, 1\.1 petals-chat-[0-9a-f]{8}$/)
    expect(await post({ model: 'other', messages }, { via })).toMatchObject({
      error: {
        code: 'model_unavailable',
        message: expect.stringContaining('ask each other forever') as string,
      },
    })
  })
})

describe('an answer of another server', () => {
  it('has thoughts apart from words, whether the server separates them or not', async () => {
    big.script = async function* () {
      yield words('<think>Hm')
      yield words('.</think>Yes.')
      yield end
    }
    const { choices } = await post({ messages })
    expect(choices[0].message).toMatchObject({ reasoning_content: 'Hm.', content: 'Yes.' })
  })

  it('is measured by what the server counted', async () => {
    await post({ messages })
    const metrics = await (await gateway.app.request('/metrics')).text()
    expect(metrics).toContain('petals_chat_tokens_total{model="big",kind="cached"} 4')
    expect(metrics).toMatch(/caller_tokens_total\{caller="anonymous",model="big",kind="prompt"\} 10/)
  })

  it('waits for its turn, and leaves the queue if its client goes', async () => {
    const gate = Promise.withResolvers<void>()
    big.script = async function* () {
      yield words('Hi')
      await gate.promise
      yield end
    }
    const first = post({ messages })
    await expect.poll(() => big.asked.length).toBe(1)
    const leaving = new AbortController()
    const gone = gateway.app.request('/v1/chat/completions', {
      method: 'POST',
      body: JSON.stringify({ model: 'big', messages }),
      signal: leaving.signal,
    })
    const last = post({ messages })
    const waiting = async () =>
      (await (await gateway.app.request('/metrics')).text()).match(/queue_length\{model="big"\} (\d)/)?.[1]
    await expect.poll(waiting).toBe('2')
    expect(big.asked).toHaveLength(1)
    leaving.abort()
    gate.resolve()
    const answers: Body[] = await Promise.all([first, last])
    expect(answers.map(({ choices }) => choices[0].message.content)).toEqual(['Hi', 'Hi'])
    await Promise.resolve(gone).catch(() => {})
    await expect.poll(waiting).toBe('0')
  })

  it('counts against the limits of its caller', async () => {
    await gateway[Symbol.asyncDispose]()
    start({ limits: { perAddress: { tokensPerMinute: 20 } } })
    expect(await post({ messages, max_tokens: 5 })).toHaveProperty('choices')
    await post({ messages, max_tokens: 5 })
    expect(await post({ messages, max_tokens: 5 })).toMatchObject({ error: { code: 'rate_limit_exceeded' } })
  })

  it('comes from the fallback, which it names, also if the model breaks off before it is sent', async () => {
    const down = new ModelUnavailableError('The server is down.')
    big.script = async function* () {
      yield await Promise.reject(down)
    }
    expect(await post({ messages })).toMatchObject({
      model: 'other',
      choices: [{ message: { content: 'Hi' } }],
    })
    big.script = async function* () {
      yield words('Half')
      throw down
    }
    expect(await post({ messages })).toMatchObject({
      model: 'other',
      choices: [{ message: { content: 'Hi' } }],
    })
    other.script = async function* () {
      yield await Promise.reject(new ModelUnavailableError('Both are down.'))
    }
    big.script = other.script
    expect(await post({ messages })).toMatchObject({ error: { message: 'Both are down.' } })
  })

  it.each(['auto', 'default'])(
    'comes from no model but the fallback, unknownModel: %s',
    async (unknownModel) => {
      await gateway[Symbol.asyncDispose]()
      big.script = async function* () {
        yield await Promise.reject(new ModelUnavailableError('The server is down.'))
      }
      const callers = new TestCallers()
        .add('one', { models: ['big'] })
        .add('two', { models: ['big', 'local'] })
      start({ unknownModel }, { callers: [callers] })
      for (const caller of ['one', 'two'])
        expect(await post({ messages }, asCaller(caller))).toMatchObject({
          error: { message: 'The server is down.' },
        })
      expect([big.asked.length, other.asked.length]).toEqual([2, 0])
    },
  )

  it('comes from the fallback when no more requests may wait for the model', async () => {
    await gateway[Symbol.asyncDispose]()
    start({ sessions: { queueLength: 0 } })
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    big.script = async function* () {
      begun.resolve()
      await gate.promise
      yield words('Hi')
      yield end
    }
    const first = post({ messages })
    await begun.promise
    const told = { petals: { route: true } }
    expect(await post({ messages, ...told })).toMatchObject({
      model: 'other',
      petals: { fallback: { model: 'big', reason: expect.stringContaining('the queue is full') as string } },
    })
    gate.resolve()
    expect(await first).toMatchObject({ model: 'big' })
  })

  it('is not answered by a fallback that would drop or refuse a part of it', async () => {
    big = new TestRemote('big', { fallback: 'local' })
    big.script = async function* () {
      yield await Promise.reject(new ModelUnavailableError('It is down.', { retryAfterMs: 30_000 }))
    }
    start()
    const asked = { messages, max_tokens: 20 }
    expect(
      await post({ ...asked, mirostat: 0, prediction: { type: 'content', content: 'x' } }),
    ).toMatchObject({
      model: 'local',
      choices: [{ message: { content: 'Local.' } }],
    })
    expect(await post({ ...asked, min_tokens: 3 })).toMatchObject({
      error: {
        code: 'model_unavailable',
        message: expect.stringMatching(
          /^It is down\. The model 'local' stands in for it, but can't answer this request: .*'min_tokens'/,
        ) as string,
      },
    })
    const long = [{ role: 'user', content: 'word '.repeat(150) }]
    const init = { method: 'POST', body: JSON.stringify({ model: 'big', messages: long }) }
    const response = await gateway.app.request('/v1/chat/completions', init)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '30'])
    expect(await response.text()).toContain('maximum context length is 512')
  })

  it('ends when the client of a response in the background leaves in the moment of its first word', async () => {
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let ended = false
    big.script = async function* () {
      begun.resolve()
      try {
        await gate.promise
        yield words('Half')
        yield end
      } finally {
        ended = true
      }
    }
    const leaving = new AbortController()
    const body = JSON.stringify({ model: 'big', input: 'Hello', background: true })
    const response = gateway.app.request('/v1/responses', { method: 'POST', body, signal: leaving.signal })
    await begun.promise
    leaving.abort()
    await response
    gate.resolve()
    await expect.poll(() => ended).toBe(true)
  })

  it('ends when its reader leaves while the tools of an MCP server are written before it', async () => {
    await gateway[Symbol.asyncDispose]()
    let ended = false
    big.script = async function* () {
      try {
        yield words('Half')
        yield end
      } finally {
        ended = true
      }
    }
    // More than a stream buffers for its reader.
    const problem = 'It does not answer. '.repeat(10_000)
    const source: ToolSource = { name: 'docs', builtIn: false, state: 'unreachable', tools: [], problem }
    start({}, { tools: { ...noTools, source: () => Promise.resolve(source) } })
    const tools = [{ type: 'mcp', server_label: 'docs', require_approval: 'never' }]
    const body = JSON.stringify({ model: 'big', input: 'Hello', stream: true, tools })
    const response = await gateway.app.request('/v1/responses', { method: 'POST', body })
    const reader = response.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('response.created')
    expect([big.asked.length, ended]).toEqual([1, false])
    await reader.cancel()
    await expect.poll(() => ended).toBe(true)
  })

  it('is not written to its end before an approved call that it comes after', async () => {
    await gateway[Symbol.asyncDispose]()
    let whole = 0
    big.script = async function* () {
      yield words('Hi')
      whole += 1
      yield end
    }
    const source: ToolSource = { name: 'docs', builtIn: false, state: 'ready', tools: [] }
    start({}, { tools: { ...noTools, source: () => Promise.resolve(source) } })
    const call = { id: 'mcpr_1', server_label: 'docs', name: 'find', arguments: '{}' }
    const input = [
      { type: 'message', role: 'user', content: 'Hello' },
      { type: 'mcp_approval_request', ...call },
      { type: 'mcp_approval_response', approval_request_id: call.id, approve: true },
    ]
    const tools = [{ type: 'mcp', server_label: 'docs' }]
    expect(await post({ input, tools }, {}, '/v1/responses')).toMatchObject({ status: 'completed' })
    expect([big.asked.length, whole]).toEqual([2, 1])
  })

  it('ends when a response with a fallback can not be kept', async () => {
    let ended = 0
    big.script = async function* () {
      try {
        yield words('Half')
        yield end
      } finally {
        ended += 1
      }
    }
    const open = vi.spyOn(ResponseStore.prototype, 'open').mockImplementation(() => {
      throw new Error('no room')
    })
    for (const more of [{}, { stream: true }, { background: true }]) {
      const init = { method: 'POST', body: JSON.stringify({ model: 'big', input: 'Hello', ...more }) }
      expect(await (await gateway.app.request('/v1/responses', init)).text()).toContain('server_error')
    }
    expect([open.mock.calls.length, ended]).toEqual([3, 3])
    open.mockRestore()
  })
})
