import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { hostname } from 'node:os'
import path from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { sessionsInUse } from './support/metrics.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const model = 'SmolLM2-135M-Instruct'
const messages = [{ role: 'user', content: 'What is the capital of France?' }] as const
const python = path.resolve('.cache', 'python', 'clients', 'bin', 'python')

let server: PetalsChat
let client: OpenAI

beforeAll(async () => {
  const args = ['--trusted-host', 'chat.example.org', '--base-path', '/chat']
  server = await startPetalsChat({ args, env: await withDefaultModel() })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('the official npm client', () => {
  it('lists and describes models', async () => {
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual([model])
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, object: 'model' })
  })

  it('gets usage, also at the end of a stream', async () => {
    const whole = await client.chat.completions.create({ model, messages: [...messages], temperature: 0 })
    const stream = await client.chat.completions.create({
      model,
      messages: [...messages],
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    })
    let usage
    for await (const chunk of stream) usage = chunk.usage ?? usage
    expect(usage).toMatchObject({
      prompt_tokens: whole.usage!.prompt_tokens,
      completion_tokens: whole.usage!.completion_tokens,
    })
    // The second request's prompt was in the KV cache already.
    expect(usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(0)
  })

  it('repeats itself with a seed', async () => {
    const ask = async (seed: number): Promise<string> => {
      const answer = await client.chat.completions.create({
        model,
        messages: [...messages],
        temperature: 1,
        seed,
        max_tokens: 24,
      })
      return answer.choices[0]!.message.content!
    }
    const [first, second, other] = [await ask(7), await ask(7), await ask(8)]
    expect(second).toBe(first)
    expect(other).not.toBe(first)
  })

  it('gives several choices, logprobs, and stops at a sequence', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [...messages],
      temperature: 0,
      n: 2,
      logprobs: true,
      top_logprobs: 3,
      stop: [' is'],
    })
    expect(answer.choices).toHaveLength(2)
    for (const choice of answer.choices) {
      expect(choice.message.content).not.toContain(' is')
      expect(choice.finish_reason).toBe('stop')
      for (const entry of choice.logprobs!.content!) {
        expect(entry.top_logprobs).toHaveLength(3)
        expect(entry.logprob).toBeLessThanOrEqual(0)
        expect(entry.top_logprobs[0]!.token).toBe(entry.token)
      }
    }
  })

  it('scores a prompt with echo and max_tokens 0, as evaluation harnesses do', async () => {
    const answer = await client.completions.create({
      model,
      prompt: 'The capital of France is Paris',
      echo: true,
      max_tokens: 0,
      logprobs: 1,
    })
    const { tokens, token_logprobs: logprobs } = answer.choices[0]!.logprobs!
    expect(tokens!.join('')).toBe('The capital of France is Paris')
    expect(logprobs![0]).toBeNull()
    expect(logprobs!.slice(1).every((value) => typeof value === 'number' && value <= 0)).toBe(true)
  })

  it('gets an answer in the form of a JSON schema', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Name a city and its country as JSON.' }],
      temperature: 0,
      max_tokens: 200,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'city',
          schema: {
            type: 'object',
            properties: {
              city: { type: 'string', maxLength: 30 },
              country: { type: 'string', maxLength: 30 },
            },
            required: ['city', 'country'],
            additionalProperties: false,
          },
        },
      },
    })
    const value = JSON.parse(answer.choices[0]!.message.content!) as Record<string, unknown>
    expect(Object.keys(value).sort()).toEqual(['city', 'country'])
  })

  it('calls the tool that it must call', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      temperature: 0,
      max_tokens: 200,
      tools: [
        {
          type: 'function',
          function: {
            name: 'get_weather',
            description: 'Weather of a city',
            parameters: {
              type: 'object',
              properties: { city: { type: 'string', maxLength: 30 } },
              required: ['city'],
              additionalProperties: false,
            },
          },
        },
      ],
      tool_choice: 'required',
    })
    const [call] = answer.choices[0]!.message.tool_calls!
    expect(answer.choices[0]!.finish_reason).toBe('tool_calls')
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
    if (call!.type === 'function') expect(JSON.parse(call!.function.arguments)).toHaveProperty('city')
  })

  it('gets answers that fit schemas as Zod writes them: wide integers, records, recursion, formats', async () => {
    const leaf = z.object({ kind: z.literal('leaf'), count: z.int() })
    const node = z.object({
      kind: z.literal('node'),
      get left() {
        return tree
      },
    })
    const tree: z.ZodType = z.lazy(() => z.discriminatedUnion('kind', [leaf, node]))
    const plan = z.object({
      mail: z.email(),
      share: z.number().min(0).max(0.5),
      tags: z.record(z.enum(['a', 'b']), z.boolean()),
      tree,
    })
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Invent a plan as JSON.' }],
      temperature: 0,
      max_tokens: 400,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'plan', strict: true, schema: z.toJSONSchema(plan) as Record<string, unknown> },
      },
    })
    const [choice] = answer.choices
    if (choice!.finish_reason === 'stop') plan.parse(JSON.parse(choice!.message.content!))
    expect(choice!.message.content).toMatch(/^\{\s*"mail":\s*"/)
  })

  it('calls a function without parameters with none, or answers in the form that it was given', async () => {
    const tools = [{ type: 'function' as const, function: { name: 'get_time', description: 'The time now' } }]
    const forced = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'What time is it?' }],
      tools,
      tool_choice: 'required',
      temperature: 0,
    })
    const [call] = forced.choices[0]!.message.tool_calls!
    expect(call).toMatchObject({ function: { name: 'get_time', arguments: '{}' } })
    const free = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Name a city as JSON.' }],
      max_tokens: 100,
      temperature: 0,
      tools,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'city',
          schema: {
            type: 'object',
            properties: { city: { type: 'string', maxLength: 20 } },
            required: ['city'],
          },
        },
      },
    })
    const { content, tool_calls: calls } = free.choices[0]!.message
    if (calls) expect(calls[0]).toMatchObject({ function: { name: 'get_time', arguments: '{}' } })
    else expect(Object.keys(JSON.parse(content!) as object)).toEqual(['city'])
  })

  it('is refused at its place where a schema would keep the model busy for minutes, and the model goes on', async () => {
    const pattern = '^(a?){500}a{500}$'
    const parameters = { type: 'object', properties: { a: { type: 'string', pattern } }, required: ['a'] }
    const forced = {
      model,
      messages: [...messages],
      tools: [{ type: 'function' as const, function: { name: 'go', strict: true, parameters } }],
      tool_choice: 'required' as const,
    }
    await expect(client.chat.completions.create(forced)).rejects.toMatchObject({
      status: 400,
      param: 'tools[0].function.parameters',
      message: expect.stringContaining('$.properties.a.pattern') as string,
    })
    const grammar = 'root ::= ("a"?){500} "a"{500}'
    await expect(
      client.chat.completions.create({ model, messages: [...messages], grammar } as never),
    ).rejects.toMatchObject({ status: 400, param: 'grammar' })
    const answer = await client.chat.completions.create({
      model,
      messages: [...messages],
      max_tokens: 5,
      temperature: 0,
    })
    expect(answer.choices[0]!.message.content).not.toBe('')
  })

  it('gets normalised embeddings in which likeness shows', async () => {
    const answer = await client.embeddings.create({
      model,
      input: [
        'A cat sleeps on the sofa.',
        'A kitten naps on the couch.',
        'Interest rates rose by a quarter point.',
      ],
    })
    const [cat, kitten, rates] = answer.data.map(({ embedding }) => embedding)
    const product = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    expect(product(cat!, cat!)).toBeCloseTo(1, 3)
    expect(product(cat!, kitten!)).toBeGreaterThan(product(cat!, rates!))
  })

  it('throws its own error classes, with the parameter at fault', async () => {
    await expect(client.models.retrieve('gpt-17')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      requestID: expect.any(String) as string,
    })
    await expect(
      client.chat.completions.create({ model, messages: [...messages], temperature: -1 }),
    ).rejects.toMatchObject({ status: 400, param: 'temperature' })
    await expect(client.completions.create({ model, prompt: 'a', suffix: 'b' })).rejects.toMatchObject({
      status: 400,
      param: 'suffix',
    })
    await expect(
      client.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'long '.repeat(20_000) }],
      }),
    ).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })

  it('stops the engine when it goes away in mid-answer', async () => {
    const controller = new AbortController()
    const stream = await client.chat.completions.create(
      {
        model,
        messages: [{ role: 'user', content: 'Count from one to one thousand.' }],
        max_tokens: 1500,
        stream: true,
      },
      { signal: controller.signal },
    )
    let seen = 0
    for await (const _chunk of stream) if (++seen === 5) break
    controller.abort()
    await expect.poll(() => sessionsInUse(server.url), { timeout: 5000 }).toBe(0)
  })
})

describe('what clients send that are not OpenAI’s', () => {
  interface Answer {
    readonly model: string
    readonly choices: readonly { readonly finish_reason: string; readonly text?: string }[]
    readonly usage: { readonly completion_tokens: number; readonly total_tokens: number }
  }

  async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const sent = body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body)
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body: sent, headers })
    const text = await response.text()
    expect([response.status, response.ok ? '' : text]).toEqual([200, ''])
    return JSON.parse(text) as Answer
  }

  const short = { messages, max_tokens: 4 }

  it('names of models of their own, or none', async () => {
    for (const name of ['gpt-3.5-turbo', 'dummy', `${server.url}/v1`, null, undefined])
      expect((await post('/v1/chat/completions', { ...short, model: name })).model).toBe(model)
    expect((await post('/v1/completions', { prompt: 'Once', max_tokens: 2 })).model).toBe(model)
  })

  it('more tokens than there is room for, and values that stand for nothing', async () => {
    const answer = await post('/v1/chat/completions', {
      messages,
      max_tokens: 1_000_000,
      seed: -1,
      stop: '',
      top_k: -1,
      top_p: 0,
      min_p: 0,
      repeat_penalty: 1,
      temperature: 0,
      cache_prompt: true,
      id_slot: -1,
    })
    expect(answer.choices[0]!.finish_reason).toBe('stop')
    const stops = ['One', 'Two', 'Three', 'Four', 'Five', 'Six', '']
    await post('/v1/chat/completions', { ...short, stop: stops, n_predict: 3 })
  })

  it('completions without a length: 16 tokens, as documented', async () => {
    const { usage } = await post('/v1/completions', {
      prompt: 'Count: 1 2 3 4',
      temperature: 0,
      ignore_eos: true,
    })
    expect(usage.completion_tokens).toBe(16)
  })

  it('compressed bodies, other charsets, and JSON under any type', async () => {
    const json = JSON.stringify(short)
    for (const [coding, bytes] of [
      ['gzip', gzipSync(json)],
      ['br', brotliCompressSync(json)],
      ['deflate', deflateSync(json)],
    ] as const)
      await post('/v1/chat/completions', bytes, {
        'content-encoding': coding,
        'content-type': 'application/json',
      })
    await post('/v1/chat/completions', Buffer.from(`\ufeff${json}`, 'utf16le'), {
      'content-type': 'text/plain',
    })
    const refused = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: json,
      headers: { 'content-encoding': 'compress' },
    })
    expect(refused.status).toBe(415)
  })

  it('slashes too many, a prefix, wrong paths, wrong methods', async () => {
    const statusOf = async (path: string) => (await ask(path)).status
    for (const path of ['/v1/models/', '//v1/models', '/chat/v1/models', '/chat/docs', '/chat/openapi.json'])
      expect([path, await statusOf(path)]).toEqual([path, 200])
    const { status, text } = await ask('/v1/v1/chat/completions')
    expect(status).toBe(404)
    expect(JSON.parse(text)).toMatchObject({
      error: {
        code: 'unknown_url',
        message: expect.stringContaining('Did you mean /v1/chat/completions?') as string,
      },
    })
    expect(await statusOf('/v1/chat/completions')).toBe(405)
    // Neither dots nor escapes lead out of the page's folder.
    for (const path of ['/chat/../../package.json', '/..%2f..%2fpackage.json', '//..//package.json'])
      expect([404, 400]).toContain(await statusOf(path))
  })

  it('names of this machine', async () => {
    for (const host of ['host.docker.internal', 'chat.example.org', hostname().split('.')[0]!])
      expect((await ask('/v1/models', `${host}:5000`)).status).toBe(200)
    const refused = await ask('/v1/models', 'other.example.org')
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('--trusted-host other.example.org')
  })

  it('fields that the server does not know, at any depth', async () => {
    for (const [body, param] of [
      [{ ...short, flux: 1 }, 'flux'],
      [{ messages: [{ role: 'user', content: 'Hi', flux: 1 }] }, 'messages[0].flux'],
    ] as const) {
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { param, code: 'unknown_parameter' } })
    }
  })

  /** As it is written, over a connection of its own: `fetch` would tidy the path up and choose the host. */
  async function ask(path: string, host = 'localhost') {
    const { port } = new URL(server.url)
    const request = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { status: response.statusCode, text: await readText(response) }
  }
})

describe('the official PyPI client', () => {
  it('finds every body as its types say, strictly', async () => {
    const script = `
import json, sys, urllib.request
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, data)).read()
def check(kind, body):
    kind.model_validate_json(body, strict=True)
messages = [{"role": "user", "content": "Hi"}]
models = json.loads(ask("/v1/models"))
assert models["object"] == "list"
for model in models["data"]: check(Model, json.dumps(model))
check(Model, ask("/v1/models/" + models["data"][0]["id"]))
check(CreateEmbeddingResponse, ask("/v1/embeddings", dict(input=["a", "b"])))
chat = dict(messages=messages, max_tokens=4, logprobs=True, top_logprobs=2)
check(ChatCompletion, ask("/v1/chat/completions", chat))
check(Completion, ask("/v1/completions", dict(prompt="Once", max_tokens=4, logprobs=2)))
count = 0
for path, kind, body in [("/v1/chat/completions", ChatCompletionChunk, chat), ("/v1/completions", Completion, dict(prompt="Once", max_tokens=4))]:
    events = ask(path, dict(body, stream=True, stream_options=dict(include_usage=True))).decode().split("\\n\\n")
    for event in events:
        if event.startswith("data: {"):
            body = json.loads(event[6:])
            # Chunks of completions have no finish_reason before the last; at OpenAI neither.
            if kind is Completion:
                for choice in body["choices"]: choice["finish_reason"] = choice["finish_reason"] or "stop"
            check(kind, json.dumps(body))
            count += 1
print(json.dumps(count))
`
    expect(JSON.parse(await runPython(script))).toBeGreaterThan(8)
  })

  it('chats, streams and gets typed errors', async () => {
    const script = `
import json, sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
messages = [{"role": "user", "content": "What is the capital of France?"}]
whole = client.chat.completions.create(model="${model}", messages=messages, temperature=0)
stream = client.chat.completions.create(model="${model}", messages=messages, temperature=0, stream=True)
text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
try:
    client.models.retrieve("missing")
    error = None
except openai.NotFoundError as e:
    error = e.code
print(json.dumps(dict(whole=whole.choices[0].message.content, text=text, error=error, models=[m.id for m in client.models.list()])))
`
    const answer = JSON.parse(await runPython(script)) as {
      whole: string
      text: string
      error: string
      models: string[]
    }
    expect(answer.whole).toContain('Paris')
    expect(answer.text).toBe(answer.whole)
    expect(answer.error).toBe('model_not_found')
    expect(answer.models).toEqual([model])
  })

  it('finds nothing wrong with the types of any answer or event', async () => {
    const script = `
import json, sys, urllib.request
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
base = sys.argv[1] + "/v1"
messages = [{"role": "user", "content": "What is the capital of France?"}]
tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}}}
chats = [
    {},
    {"logprobs": True, "top_logprobs": 2, "n": 2},
    {"tools": [tool], "tool_choice": "required"},
    {"tools": [tool], "tool_choice": "required", "max_tokens": 6},
    {"response_format": {"type": "json_object"}},
]
count = 0
def post(path, body):
    data = json.dumps({"model": "${model}", "max_tokens": 20, **body}).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers), timeout=60) as answer:
        return answer.read().decode()
def check(path, body, whole, event):
    global count
    whole.model_validate_json(post(path, body), strict=True)
    for line in post(path, {**body, "stream": True, "stream_options": {"include_usage": True}}).splitlines():
        if line.startswith("data: {"):
            # OpenAI's own events of completions have null here, which its type does not say.
            text = line[6:].replace('"finish_reason":null', '"finish_reason":"stop"') if event is Completion else line[6:]
            event.model_validate_json(text, strict=True)
            count += 1
for chat in chats:
    check("/chat/completions", {"messages": messages, **chat}, ChatCompletion, ChatCompletionChunk)
check("/completions", {"prompt": "The capital of France is", "logprobs": 2}, Completion, Completion)
check("/completions", {"prompt": ["a", "b"], "echo": True}, Completion, Completion)
print(json.dumps(count))
`
    expect(JSON.parse(await runPython(script))).toBeGreaterThan(30)
  })
})

/** What the script prints; its first argument is the address of the server. */
function runPython(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-c', script, server.url], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`python ended with ${code}`)),
    )
  })
}
