import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { Ollama } from 'ollama'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../clients/calls-of.ts'
import { sessionsInUse } from './support/metrics.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const model = 'SmolLM2-135M-Instruct'
const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const ask = { model: `${model}:latest`, messages, options: { temperature: 0, num_predict: 40 } }
const python = path.resolve('.cache', 'python', 'clients', 'bin', 'python')

let server: PetalsChat
let client: Ollama

beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
  client = new Ollama({ host: server.url })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('the official npm client of Ollama', () => {
  const holds = callsOf('ollama-npm', import.meta.url)

  holds('stream')('gets the answer of the OpenAI API, counted and streamed', async () => {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model, messages, temperature: 0, max_tokens: 40 }),
    })
    const chat = (await response.json()) as {
      readonly choices: readonly [{ readonly message: { readonly content: string } }]
      readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
    }
    const { content } = chat.choices[0].message
    const lines = await Array.fromAsync(await client.chat({ ...ask, stream: true }))
    expect(lines.map(({ message }) => message.content).join('')).toBe(content)
    expect(content).toContain('Paris')
    const last = lines.at(-1)!
    expect([last.prompt_eval_count, last.eval_count]).toEqual([
      chat.usage.prompt_tokens,
      chat.usage.completion_tokens,
    ])
    expect(last.total_duration).toBeGreaterThan(last.eval_duration)
  })

  holds('form')('gets answers in the format that it asks for', async () => {
    const format = {
      type: 'object',
      properties: { colour: { enum: ['red', 'green'] } },
      required: ['colour'],
      additionalProperties: false,
    }
    const answer = await client.chat({ ...ask, format })
    expect(['red', 'green']).toContain((JSON.parse(answer.message.content) as { colour: string }).colour)
  })

  holds('kept', 'text')('goes on with a context as with a dialogue', async () => {
    const { model: name, options } = ask
    const first = await client.generate({ model: name, prompt: messages[0]!.content, options })
    const question = 'Name a river there.'
    const next = await client.generate({ model: name, prompt: question, context: first.context, options })
    const dialogue = await client.chat({
      ...ask,
      messages: [
        ...messages,
        { role: 'assistant', content: first.response! },
        { role: 'user', content: question },
      ],
    })
    expect(next.response).toBe(dialogue.message.content)
    expect(next.prompt_eval_count).toBe(dialogue.prompt_eval_count)
  })

  holds('embeddings')('embeds, so that likeness shows', async () => {
    const input = ['A cat sleeps on the sofa.', 'A kitten naps on the couch.', 'Interest rates rose again.']
    const { embeddings } = await client.embed({ model, input })
    const [cat, kitten, rates] = embeddings as [number[], number[], number[]]
    const product = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    expect(product(cat, kitten)).toBeGreaterThan(product(cat, rates))
  })

  holds('leaves')('stops the engine when it goes away', async () => {
    const endless = { ...ask, options: { num_predict: 1_500, temperature: 0 } }
    const stream = await client.chat({ ...endless, stream: true })
    for await (const _line of stream) break
    stream.abort()
    await expect.poll(() => sessionsInUse(server.url)).toBe(0)
  })
})

describe('the official PyPI client of Ollama', () => {
  const holdsPython = callsOf('ollama-pypi', import.meta.url)

  holdsPython(
    'chat',
    'stream',
    'text',
    'kept',
    'models',
    'embeddings',
    'errors',
  )('finds every body and line as its types say, and its own errors', async () => {
    const script = `
import json, sys, urllib.request
import ollama
client = ollama.Client(host=sys.argv[1])
model = "${model}:latest"
messages = [{"role": "user", "content": "What is the capital of France?"}]
options = {"temperature": 0, "num_predict": 4, "seed": 1, "num_ctx": 2048}
whole = client.chat(model, messages, options=options)
lines = list(client.chat(model, messages, options=options, stream=True, logprobs=True, keep_alive="5m"))
assert "".join(line.message.content for line in lines) == whole.message.content
assert lines[-1].done and lines[-1].done_reason == "length" and lines[-1].eval_count == 4, lines[-1]
assert whole.created_at and whole.total_duration > whole.load_duration > 0
told = client.generate(model, "Hi", options=options)
more = list(client.generate(model, "And?", context=told.context, options=options, stream=True))
assert more[-1].context[:len(told.context)] == list(told.context)
def look(city: str) -> str:
    """Looks at a city.

    Args:
      city: Its name.
    """
client.chat(model, messages, tools=[look], options=options)
assert [each.model for each in client.list().models] == [model] == [each.name for each in client.ps().models]
shown = client.show(model)
assert shown.modelinfo["llama.context_length"] > 1000 and "tools" in shown.capabilities, shown
assert len(client.embed(model, ["a", "b"]).embeddings) == 2 and client.embeddings(model, "a").embedding
assert client.pull(model).status == "success"
errors = []
for call in [lambda: client.chat("nothing", messages, options={"mirostat": 2}), lambda: client.pull("llama3.2"), lambda: client.delete(model)]:
    try:
        call()
    except ollama.ResponseError as error:
        errors.append([error.status_code, error.error])

def ask(path, body):
    return urllib.request.urlopen(urllib.request.Request(sys.argv[1] + path, json.dumps(body).encode())).read()
for kind, path, body in [(ollama.ChatResponse, "/api/chat", dict(messages=messages, options=options)), (ollama.GenerateResponse, "/api/generate", dict(prompt="Hi", options=options))]:
    for line in ask(path, body).splitlines():
        known = kind.model_validate_json(line)
        assert not set(json.loads(line)) - set(kind.model_fields), line
print(json.dumps(errors))
`
    const { stdout } = await promisify(execFile)(python, ['-c', script, server.url])
    const errors = JSON.parse(stdout) as readonly (readonly [number, string])[]
    expect(errors.map(([status]) => status)).toEqual([400, 400, 400])
    expect(errors[0]![1]).toContain('options.mirostat')
    expect(errors[1]![1]).toContain('configuration')
  })
})
