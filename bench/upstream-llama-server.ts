// node --conditions=petals-chat-source bench/upstream-llama-server.ts LLAMA_SERVER
//
// Puts the built program in front of a real llama-server (the path of its binary) with the default model, and checks what a
// client notices: discovery, answers in two dialects, calls, formats, log probabilities, a prompt that is too long, a client
// that stops, a server that is killed and comes back. CI has no such binary: tests/e2e/upstream.test.ts does the same with a
// second Petals Chat.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { strict as assert } from 'node:assert'
import Anthropic from '@anthropic-ai/sdk'
import { freePort } from '@petals-chat/engine/testing'
import OpenAI from 'openai'
import { startPetalsChat } from '../tests/e2e/support/petals-chat.ts'
import { defaultModelPath } from '../tests/support/model.ts'

const [binary] = process.argv.slice(2)
if (binary === undefined) throw new Error('Give the path of a llama-server.')

const port = await freePort()
const model = await defaultModelPath()
const upstream = `http://127.0.0.1:${port}`
const folder = await mkdtemp(path.join(tmpdir(), 'llama-server-'))
await writeFile(
  path.join(folder, 'petals-chat.yaml'),
  `models: [{ id: lab, engine: upstream, baseUrl: '${upstream}/v1', models: auto, healthIntervalMs: 200 }]\n`,
)

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await holds().catch(() => false)); await sleep(50))
    if (Date.now() > deadline) throw new Error(`Never became true: ${what}`)
}

async function startServer(): Promise<ChildProcess> {
  const args = ['--model', model, '--host', '127.0.0.1', '--port', `${port}`, '--ctx-size', '4096']
  const child = spawn(binary!, [...args, '--parallel', '2', '--jinja', '--slots'], { stdio: 'ignore' })
  await until('llama-server is well', async () => (await fetch(`${upstream}/health`)).ok)
  return child
}

async function isWorking(): Promise<boolean> {
  const slots = (await (await fetch(`${upstream}/slots`)).json()) as readonly { is_processing: boolean }[]
  return slots.some(({ is_processing: isBusy }) => isBusy)
}

let server = await startServer()
await using front = await startPetalsChat({ cwd: folder, untilReady: false })
const openai = new OpenAI({ baseURL: `${front.url}/v1`, apiKey: 'any', maxRetries: 0 })
const anthropic = new Anthropic({ baseURL: front.url, apiKey: 'any', maxRetries: 0 })
const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const asked = { model: 'lab', messages, temperature: 0, max_tokens: 24 }
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const stateOf = async () => {
  const { state } = (await openai.models.retrieve('lab')) as unknown as { readonly state: string }
  return state
}

const checks: Readonly<Record<string, () => Promise<void>>> = {
  async 'finds the model and its context'() {
    await until('the model is ready', async () => (await stateOf()) === 'ready')
    const { data } = await openai.models.list()
    assert.equal(data.length, 1)
    assert.ok((data[0] as unknown as { readonly context_length: number }).context_length >= 2048)
  },
  async 'answers, with log probabilities and usage'() {
    const answer = await openai.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 })
    assert.match(answer.choices[0]!.message.content!, /Paris/)
    assert.equal(answer.choices[0]!.logprobs!.content!.length, answer.usage!.completion_tokens)
    assert.ok(answer.usage!.prompt_tokens > 10)
  },
  async 'streams the same'() {
    const stream = openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } })
    const { choices, usage } = await stream.finalChatCompletion()
    assert.match(choices[0]!.message.content!, /Paris/)
    assert.ok(usage!.completion_tokens > 3)
  },
  async 'continues a text'() {
    const prompt = 'The capital of France is'
    const { choices } = await openai.completions.create({ ...asked, prompt, max_tokens: 4 })
    assert.match(choices[0]!.text, /Paris/)
  },
  async 'enforces a schema and a call'() {
    const format = { type: 'json_schema' as const, json_schema: { name: 'city', schema: parameters } }
    const formed = await openai.chat.completions.create({ ...asked, response_format: format })
    assert.equal(typeof (JSON.parse(formed.choices[0]!.message.content!) as { city: string }).city, 'string')
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }]
    const called = await openai.chat.completions.create({ ...asked, tools, tool_choice: 'required' })
    assert.equal(called.choices[0]!.finish_reason, 'tool_calls')
    const [call] = called.choices[0]!.message.tool_calls!
    assert.equal(call?.type === 'function' && call.function.name, 'weather')
  },
  async "answers Anthropic's client"() {
    const message = await anthropic.messages.stream({ ...asked, max_tokens: 24 }).finalMessage()
    assert.match(JSON.stringify(message.content), /Paris/)
  },
  async 'passes on what only llama-server knows'() {
    const mirostat = { ...asked, mirostat: 2 } as OpenAI.ChatCompletionCreateParamsNonStreaming
    assert.ok((await openai.chat.completions.create(mirostat)).choices[0]!.message.content)
  },
  async 'says that a prompt is too long'() {
    const long = [{ role: 'user' as const, content: 'word '.repeat(9_000) }]
    const failure = openai.chat.completions.create({ ...asked, messages: long })
    await assert.rejects(failure, { status: 400, code: 'context_length_exceeded' })
  },
  async 'stops the server when the client stops'() {
    const body = { ...asked, max_tokens: 1500, ignore_eos: true, stream: true } as const
    for await (const chunk of await openai.chat.completions.create(body))
      if (chunk.choices[0]?.delta.content) break
    await until('llama-server rests', async () => !(await isWorking()))
  },
  async 'names a server that was killed, and finds it again'() {
    server.kill('SIGKILL')
    await until('the model is unavailable', async () => (await stateOf()) === 'unavailable')
    await assert.rejects(openai.chat.completions.create(asked), { status: 503 })
    server = await startServer()
    await until('the model is ready', async () => (await stateOf()) === 'ready')
    assert.match((await openai.chat.completions.create(asked)).choices[0]!.message.content!, /Paris/)
  },
}

try {
  for (const [name, check] of Object.entries(checks)) {
    const startedAt = performance.now()
    await check()
    console.log(`ok ${name} (${Math.round(performance.now() - startedAt)} ms)`)
  }
} finally {
  server.kill('SIGKILL')
  await rm(folder, { recursive: true })
}
