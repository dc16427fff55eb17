import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { startPetalsChat, withDefaultModel, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { connectLegacy } from '../../e2e/support/websocket.ts'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest } from '../support/raw-http.ts'
import { secretIncidents } from './secrets.incidents.ts'

const incident = testsOf(secretIncidents)

/** Each is planted once, so that a find tells which one. None looks like a word. */
const planted = {
  hubToken: 'hf_qZ7canaryHubToken0123456789abcdef',
  bearer: 'sk-qZ7canaryBearer0123456789abcdef',
  apiKey: 'qZ7canaryApiKey0123456789',
  cookie: 'qZ7canaryCookie0123456789',
  prompt: 'qZ7canaryPrompt',
  query: 'qZ7canaryQuery',
  message: 'qZ7canarySocketMessage',
  malformed: 'qZ7canaryMalformed',
  tool: 'qZ7canaryTool',
}
const foundIn = (text: string): readonly string[] =>
  Object.entries(planted).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []))

let folder: string
let hub: Server
/** What the operator's token was sent with. */
const authorizations: string[] = []
let server: PetalsChat

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-secrets-'))
  hub = createServer((request, response) => {
    authorizations.push(request.headers.authorization ?? '')
    response
      .writeHead(401, { 'x-error-code': 'RepoNotFound' })
      .end(`Invalid token ${request.headers.authorization}`)
  })
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
  const config = path.join(folder, 'petals-chat.yaml')
  await writeFile(config, 'llama: { sequences: 2, contextLength: 256, threads: 1 }\n')
  const { XDG_CACHE_HOME } = await withDefaultModel()
  server = await startPetalsChat({
    args: [
      '--config',
      config,
      '--preload',
      'none',
      '--model',
      'SmolLM2-135M-Instruct',
      '--model',
      'private=hf:owner/private/model.gguf',
    ],
    env: {
      XDG_CACHE_HOME: XDG_CACHE_HOME!,
      HF_TOKEN: planted.hubToken,
      HF_ENDPOINT: `http://127.0.0.1:${(hub.address() as AddressInfo).port}`,
    },
    untilReady: false,
  })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await new Promise((resolve) => hub.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

const credentials = {
  authorization: `Bearer ${planted.bearer}`,
  'x-api-key': planted.apiKey,
  'api-key': planted.apiKey,
  cookie: `session=${planted.cookie}`,
}

async function request(target: string, body?: unknown, type = 'application/json'): Promise<string> {
  const response = await fetch(server.url + target, {
    headers: { ...credentials, 'content-type': type },
    ...(body !== undefined && {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  })
  return response.text()
}

incident('CVE-2024-9606', async () => {
  const messages = [{ role: 'user', content: planted.prompt }]
  const tools = [{ type: 'function', function: { name: planted.tool, parameters: { type: 7 } } }]
  for (const body of [
    { messages, max_tokens: 2 },
    { messages, max_tokens: 2, stream: true },
    { messages, max_tokens: 1e9 },
    { messages, model: 'private' },
    { messages, tools, tool_choice: 'required', max_tokens: 2 },
    `{"messages":[{"role":"user","content":"${planted.malformed}`,
  ])
    await request('/v1/chat/completions', body)
  await request('/v1/completions', {
    prompt: [planted.prompt, planted.prompt],
    max_tokens: 1,
    stop: planted.prompt,
  })
  await request('/v1/embeddings', { input: planted.prompt })
  await request('/v1/tokenize', { prompt: planted.prompt })
  await request(`/api/v1/generate?inputs=${planted.query}&max_new_tokens=1`)
  await request(
    '/api/v1/generate',
    `inputs=${planted.prompt}&max_new_tokens=x`,
    'application/x-www-form-urlencoded',
  )
  await request(`/nowhere?key=${planted.query}`)
  using socket = await connectLegacy(server.url, credentials)
  socket.send({ type: 'open_inference_session', max_length: 64 })
  await socket.receive()
  socket.send({ type: 'generate', inputs: planted.message, max_new_tokens: 2, [planted.message]: 1 })
  await socket.receive()
  await expect.poll(() => server.output()).toMatch(/"route":"\/v1\/tokenize"|\/v1\/tokenize: 200/)
  expect(foundIn(server.output())).toEqual([])
})

incident('CVE-2025-0330', async () => {
  const answer = await request('/v1/completions', { model: 'private', prompt: 'a', max_tokens: 1 })
  expect(authorizations).toContain(`Bearer ${planted.hubToken}`)
  expect(answer).toMatch(/"code":"model_unavailable"/)
  expect(foundIn(answer)).toEqual([])
  expect(foundIn(server.output())).toEqual([])
})

incident('CVE-2025-11203', async () => {
  for (const target of [
    '/healthz',
    '/ready',
    '/health',
    '/metrics',
    '/v1/models',
    '/v1/models/private',
    '/api/v1/models',
    '/api/v1/swarm',
    '/openapi.json',
    '/',
  ])
    expect(foundIn(await request(target)), target).toEqual([])
})

const FORGED = '{"level":"error","msg":"forged"}'

/** Sends line ends, escape sequences and marks of direction wherever a client has a say in the log. */
async function sendControls(url: string): Promise<void> {
  const { host } = new URL(url)
  const controls = ['\n', '\r\n', '\u001b[2J\u001b[1;31m', '\u009b2J', '\u2028', '\u202e', '\u0007', '\0']
  for (const control of controls) {
    const text = `${control}${FORGED}${control}`
    await fetch(`${url}/v1/models/${encodeURIComponent(text)}`)
    await fetch(`${url}/${encodeURIComponent(text)}`, { method: 'DELETE' })
    const body = JSON.stringify({
      model: text,
      messages: [{ role: text, content: text, name: text }],
      [text]: 1,
    })
    await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
    for (const header of ['X-Request-Id', 'Host', 'Origin', 'User-Agent', 'Content-Encoding'])
      await exchange(
        url,
        rawRequest({
          target: '/v1/models',
          host,
          headers: [`${header}: a${text.replaceAll(/[\r\n\0]/g, ' ')}`],
        }),
      )
  }
}

incident('CVE-2025-25184', async () => {
  const before = server.output().length
  await sendControls(server.url)
  await expect.poll(() => server.output().slice(before)).toContain('forged')
  const lines = server
    .output()
    .slice(before)
    .split('\n')
    .filter((line) => line !== '')
  const records = lines.map((line) => JSON.parse(line) as { readonly msg: string })
  expect(records.filter(({ msg }) => msg === 'forged')).toEqual([])
  expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
})

incident('CVE-2025-27111', async () => {
  const args = ['--preload', 'none', '--log-format', 'pretty']
  await using terminal = await startPetalsChat({ args, env: await withDefaultModel(), untilReady: false })
  await sendControls(terminal.url)
  await expect.poll(() => terminal.output()).toContain('forged')
  expect(terminal.output()).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
  expect(
    terminal
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{"level"')),
  ).toEqual([])
})
