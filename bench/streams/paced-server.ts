// Sends answers at a steady pace: the first chunk at once, the next ones every `everyMs`, whatever the first ones took. Each
// chunk says when it was sent. Started by `startPaced`; prints its address.
//
//   upstream: an OpenAI-compatible server, for gateways of all kinds
//   relay:    passes the bytes of an upstream (its address is the second argument) on: the least that any gateway adds
//   gateway:  our gateway with a scripted engine in its process; a token is one byte, so it prints the times instead
import { Agent, createServer, request as requestHttp, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestGateway } from '../../packages/gateway/src/fixtures/test-gateway.ts'
import { chunks, everyMs, now } from './stream-times.ts'

const model = 'paced'

const chunkOf = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-paced',
    object: 'chat.completion.chunk',
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`

/** Waits for the time of a step, counted from the first one. */
async function pace(startedAt: number, step: number): Promise<void> {
  const rest = startedAt + step * everyMs - now()
  if (rest > 0) await sleep(rest)
}

async function answer(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write(chunkOf({ role: 'assistant', content: '' }))
  const startedAt = now()
  for (let step = 0; step < chunks && !response.destroyed; step++) {
    await pace(startedAt, step)
    response.write(chunkOf({ content: `${now().toFixed(3)} ` }))
  }
  response.write(chunkOf({}, 'stop'))
  response.end('data: [DONE]\n\n')
}

async function startUpstream(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    if (request.method === 'POST') return void request.once('end', () => void answer(response))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ object: 'list', data: [{ id: model, object: 'model' }] }))
  })
  return addressOf(server)
}

function startRelay(upstream: string): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const server = createServer((request, response) => {
    const { method, headers } = request
    const asked = requestHttp(`${upstream}${request.url}`, { method, headers, agent }, (answered) => {
      response.writeHead(answered.statusCode!, answered.headers)
      answered.on('data', (chunk) => response.write(chunk)).on('end', () => response.end())
    })
    request.pipe(asked)
  })
  return addressOf(server)
}

async function addressOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startGateway(): Promise<string> {
  let startedAt = 0
  let times: number[] = []
  const gateway = createTestGateway({
    contextLength: 8192,
    async beforeStep({ step }) {
      if (step === 0) {
        startedAt = now()
        times = []
      }
      await pace(startedAt, step)
      times.push(now())
      if (times.length === chunks) console.log(JSON.stringify(times))
    },
  })
  return (await gateway.listen()).url
}

const [, , kind, upstream = ''] = process.argv
const starts = { upstream: startUpstream, relay: () => startRelay(upstream), gateway: startGateway }
console.log(await starts[kind as keyof typeof starts]())
