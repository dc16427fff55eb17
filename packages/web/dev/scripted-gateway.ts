import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plugin } from 'vite'
import { scriptedRoute, scriptedSwarm } from './scripted-swarm.ts'
import { pickScript } from './scripts.ts'

/**
 * Answers the page's requests from scripts, for work on the page without a model: `npm run dev` with
 * PETALS_CHAT_SCRIPTED=1. It is a tool for developers; neither the product nor a test uses it.
 */
export function scriptedGateway(): Plugin {
  return {
    name: 'scripted-gateway',
    configureServer: ({ middlewares }) => void middlewares.use(handle),
    configurePreviewServer: ({ middlewares }) => void middlewares.use(handle),
  }
}

const startedAt = Date.now()
const LOAD_MS = 8000
const CONTEXT_LENGTH = 2048

function handle(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  if (path === '/api/v1/models') sendJson(response, { models: models() })
  else if (path === '/api/v1/swarm') sendJson(response, scriptedSwarm())
  else if (path === '/v1/chat/completions' && request.method === 'POST') void complete(request, response)
  else if (path === '/v1/tokenize') void countTokens(request, response)
  else if (path.startsWith('/api/') || path.startsWith('/v1/')) {
    response.statusCode = 404
    sendJson(response, { error: { message: `Nothing is served at ${path}.`, code: 'unknown_url' } })
  } else next()
}

function models(): readonly object[] {
  const share = Math.min(1, (Date.now() - startedAt) / LOAD_MS)
  const size = 98_362_432
  const loading = {
    state: 'loading',
    progress: {
      phase: 'download',
      label: 'model.gguf',
      done: Math.round(size * share),
      total: size,
      unit: 'bytes',
    },
  }
  return [
    {
      id: 'scripted-small',
      displayName: 'Scripted Small',
      family: 'Scripted',
      engine: 'llama',
      modelCard: 'https://example.org/models/small',
      license: 'Apache-2.0',
      contextLength: CONTEXT_LENGTH,
      generation: { temperature: 0.7, top_p: 0.9 },
      state: share < 1 ? loading : { state: 'ready' },
    },
    {
      id: 'scripted-swarm',
      displayName: 'Scripted Swarm 70B',
      family: 'Scripted',
      engine: 'petals',
      state: { state: 'degraded', detail: 'Blocks 24 to 31 have one server only.' },
    },
    {
      id: 'scripted-gone',
      displayName: 'Scripted Gone 180B',
      family: 'Other',
      engine: 'petals',
      state: { state: 'unavailable', detail: 'No online server holds blocks 12 to 19.' },
    },
  ]
}

/** Estimates four characters per token. */
async function countTokens(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt = '', messages = [] } = await readBody(request)
  const characters = [prompt, ...messages.map(({ content }) => content)].join('').length
  sendJson(response, { count: Math.ceil(characters / 4), max_model_len: CONTEXT_LENGTH, tokens: [] })
}

async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request)
  const { text, tokensPerSecond, failure } = pickScript(body.messages?.at(-1)?.content ?? '')
  if (failure === 'capacity') {
    response.statusCode = 429
    response.setHeader('retry-after', '1')
    return sendJson(response, { error: { message: 'All sessions are in use.', code: 'capacity' } })
  }
  response.setHeader('content-type', 'text/event-stream')
  const send = (chunk: object): void =>
    void response.write(`data: ${JSON.stringify({ id: 'chatcmpl-1', model: body.model, ...chunk })}\n\n`)
  await sleep(400)
  const pieces = text.match(/\s*\S{1,6}|\s+$/g) ?? []
  for (const [index, content] of pieces.entries()) {
    if (response.destroyed) return
    const petals = body.model === 'scripted-swarm' ? scriptedRoute(index) : undefined
    send({ choices: [{ index: 0, delta: { content }, finish_reason: null }], petals })
    await sleep(1000 / tokensPerSecond)
  }
  if (failure === 'cut') return void response.destroy()
  if (failure === 'error') {
    send({
      error: { message: 'The engine began this answer and could not finish it.', code: 'generation_failed' },
    })
    return void response.end()
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: failure === 'length' ? 'length' : 'stop' }] })
  send({
    choices: [],
    usage: {
      prompt_tokens: 40,
      completion_tokens: pieces.length,
      prompt_tokens_details: { cached_tokens: 12 },
    },
  })
  response.end('data: [DONE]\n\n')
}

interface RequestBody {
  readonly model: string
  readonly prompt?: string
  readonly messages?: readonly { readonly content: string }[]
}

async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as RequestBody
}

function sendJson(response: ServerResponse, body: object): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}
