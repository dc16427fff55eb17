import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { createTestGateway } from '../fixtures/test-gateway.ts'
import { loadTracing } from './load-tracing.ts'
import { tracingSchema } from './tracing-config.ts'

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly doubleValue?: number }
}

interface SentSpan {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code: number }
}

/** A collector that speaks OTLP over HTTP with JSON. */
async function startCollector() {
  const spans: SentSpan[] = []
  const texts: string[] = []
  const authorizations: (string | undefined)[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      texts.push(JSON.stringify(body))
      authorizations.push(request.headers.authorization)
      const { resourceSpans } = body as {
        resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[]
      }
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
      response.setHeader('content-type', 'application/json').end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans,
    texts,
    authorizations,
    [Symbol.dispose]: () => server.close(),
  }
}

const attributesOf = ({ attributes }: SentSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

it('sends a span for a request and one for its model, with the numbers and without any text', async () => {
  using collector = await startCollector()
  const config = tracingSchema.parse({ endpoint: collector.url, token: 'collector-token' })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  let usage = { prompt_tokens: 0, completion_tokens: 0 }
  {
    await using test = createTestGateway({
      reply: () => 'Secret answer.',
      tracing: await loadTracing(config, '1.2.3'),
    })
    const send = (body: object) =>
      test.app.request('/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
        body: JSON.stringify(body),
      })
    const messages = [{ role: 'user', content: 'Secret question' }]
    const answered = await send({ messages, temperature: 0.5, max_tokens: 9 })
    usage = ((await answered.json()) as { usage: typeof usage }).usage
    await (await send({ messages: 'Secret fault' })).text()
  }
  const [work] = collector.spans.filter(({ name }) => name === 'chat test')
  const [request, refused] = collector.spans.filter(({ name }) => name === 'POST /v1/chat/completions')
  expect(collector.spans).toHaveLength(3)
  expect([request!.traceId, request!.parentSpanId]).toEqual([traceId, 'b7ad6b7169203331'])
  expect([work!.traceId, work!.parentSpanId]).toEqual([traceId, request!.spanId])
  expect(attributesOf(request!)).toMatchObject({
    'http.request.method': 'POST',
    'http.route': '/v1/chat/completions',
    'http.response.status_code': 200,
  })
  expect(attributesOf(refused!)).toMatchObject({ 'http.response.status_code': 400 })
  expect(attributesOf(work!)).toMatchObject({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'llama',
    'gen_ai.request.model': 'test',
    'gen_ai.request.max_tokens': 9,
    'gen_ai.request.temperature': 0.5,
    'gen_ai.usage.input_tokens': usage.prompt_tokens,
    'gen_ai.usage.output_tokens': usage.completion_tokens,
    'gen_ai.response.time_to_first_chunk': expect.any(Number),
  })
  expect(collector.texts.join()).not.toContain('Secret')
  expect(new Set(collector.authorizations)).toEqual(new Set(['Bearer collector-token']))
})

it('a collector that is not there neither fails a request nor keeps the gateway from closing', async () => {
  const config = tracingSchema.parse({ endpoint: 'http://127.0.0.1:9/v1/traces' })
  await using test = createTestGateway({ tracing: await loadTracing(config, '1.2.3') })
  const response = await test.app.request('/v1/models')
  expect(response.status).toBe(200)
})
