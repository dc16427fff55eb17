import { spawn } from 'node:child_process'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../clients/calls-of.ts'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const model = 'SmolLM2-135M-Instruct'
const python = path.resolve('.cache', 'python', 'clients', 'bin', 'python')

let server: PetalsChat

beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('the official PyPI client of OpenAI', () => {
  const holds = callsOf('openai-pypi', import.meta.url)

  holds(
    'chat',
    'text',
    'scores',
    'embeddings',
    'models',
    'stream',
  )('finds every body as its types say, strictly', async () => {
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

  holds(
    'chat',
    'stream',
    'errors',
    'models',
  )('chats, streams and gets typed errors', async () => {
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

  holds(
    'kept',
    'stream',
    'form',
    'tools',
  )(
    'goes through responses: kept, continued, streamed, parsed, deleted, with every event of its type',
    async () => {
      const script = `
import json, sys, openai, urllib.request
from pydantic import BaseModel, Field, TypeAdapter
from openai.types.responses import Response, ResponseStreamEvent
base = sys.argv[1] + "/v1"
client = openai.OpenAI(base_url=base, api_key="unused", max_retries=0)
ask = dict(model="${model}", temperature=0)
first = client.responses.create(**ask, input="What is the capital of France?")
second = client.responses.create(**ask, input="And of Italy?", previous_response_id=first.id, max_output_tokens=3)
items = [item.type for item in client.responses.input_items.list(second.id, order="asc")]
with client.responses.stream(**ask, input="What is the capital of France?") as stream:
    for event in stream: pass
    streamed = stream.get_final_response().output_text
class City(BaseModel):
    city: str = Field(max_length=20)
parsed = client.responses.parse(**ask, input="Name a city.", text_format=City, max_output_tokens=60).output_parsed
client.responses.delete(first.id)
try:
    client.responses.retrieve(first.id)
    error = None
except openai.NotFoundError as e:
    error = e.code
def post(body):
    data = json.dumps({**ask, "input": "Hi", "max_output_tokens": 10, **body}).encode()
    with urllib.request.urlopen(urllib.request.Request(base + "/responses", data), timeout=120) as answer:
        return answer.read().decode()
tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}}
text = {"type": "custom", "name": "write"}
logprobs = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
for body in [{}, logprobs]: Response.model_validate_json(post(body), strict=True)
kinds = set()
for body in [logprobs, {"tools": [tool], "tool_choice": "required", "max_output_tokens": 24}, {"tools": [text], "tool_choice": {"type": "custom", "name": "write"}, "max_output_tokens": 24}]:
    for line in post({**body, "stream": True}).splitlines():
        if line.startswith("data: "):
            kinds.add(TypeAdapter(ResponseStreamEvent).validate_json(line[6:], strict=True).type)
print(json.dumps(dict(first=first.output_text, status=second.status, items=items, streamed=streamed, city=isinstance(parsed.city, str), error=error, kinds=sorted(kinds))))
`
      const answer = JSON.parse(await runPython(script)) as {
        readonly first: string
        readonly kinds: readonly string[]
      }
      expect(answer).toMatchObject({
        first: expect.stringContaining('Paris') as string,
        status: 'incomplete',
        items: ['message', 'message', 'message'],
        streamed: answer.first,
        city: true,
        error: 'response_not_found',
      })
      expect(answer.kinds).toEqual(
        expect.arrayContaining([
          'response.output_text.done',
          'response.function_call_arguments.done',
          'response.custom_tool_call_input.done',
        ]),
      )
    },
  )

  holds(
    'chat',
    'stream',
    'tools',
    'form',
    'text',
    'scores',
  )('finds nothing wrong with the types of any answer or event', async () => {
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

describe('the PyPI client of Anthropic', () => {
  const holds = callsOf('anthropic-pypi', import.meta.url)

  holds(
    'chat',
    'stream',
    'tools',
    'tokens',
    'models',
    'errors',
  )('answers, streams, calls, counts, lists and raises', async () => {
    const script = `
import json, sys, anthropic
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter
client = anthropic.Anthropic(base_url=sys.argv[1], api_key="unused", max_retries=0)
messages = [{"role": "user", "content": "What is the capital of France?"}]
ask = dict(model="${model}", max_tokens=60, extra_body={"temperature": 0})
whole = client.messages.create(**ask, messages=messages)
Message.model_validate_json(whole.model_dump_json(), strict=True)
with client.messages.stream(**ask, messages=messages) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_message()
for event in client.messages.create(**ask, messages=messages, stream=True):
    TypeAdapter(RawMessageStreamEvent).validate_json(event.model_dump_json(), strict=True)
counted = client.messages.count_tokens(model="${model}", messages=messages).input_tokens
usage = whole.usage
tool = {"name": "paint", "input_schema": {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}}
paint = {"role": "user", "content": "Paint it blue."}
called = client.messages.create(**ask, messages=[paint], tools=[tool], tool_choice={"type": "any"})
use = called.content[-1]
result = {"type": "tool_result", "tool_use_id": use.id, "content": "Done."}
after = client.messages.create(**ask, messages=[paint, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}], tools=[tool], tool_choice={"type": "none"})
errors = []
for call in [lambda: client.models.retrieve("missing"), lambda: client.messages.create(**{**ask, "extra_body": {"temperature": -1}}, messages=messages)]:
    try: call()
    except anthropic.APIStatusError as error: errors.append([type(error).__name__, error.message])
print(json.dumps(dict(whole=whole.content[0].text, final=final.content[0].text, counted=counted, asked=usage.input_tokens + (usage.cache_read_input_tokens or 0), kinds=sorted(set(kinds)), called=[called.stop_reason, use.type, use.input], after=after.stop_reason, models=[m.id for m in client.models.list()], errors=errors)))
`
    const answer = JSON.parse(await runPython(script)) as {
      readonly whole: string
      readonly counted: number
      readonly kinds: readonly string[]
    }
    expect(answer).toMatchObject({
      whole: expect.stringContaining('Paris') as string,
      final: answer.whole,
      asked: answer.counted,
      called: ['tool_use', 'tool_use', { colour: expect.stringMatching(/^(red|blue)$/) as string }],
      after: expect.stringMatching(/^(end_turn|max_tokens)$/) as string,
      models: [model],
      errors: [
        ['NotFoundError', expect.stringContaining('missing') as string],
        ['BadRequestError', expect.stringContaining('temperature') as string],
      ],
    })
    expect(answer.kinds).toEqual(expect.arrayContaining(['text', 'message_start', 'message_stop']))
  })
})

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
