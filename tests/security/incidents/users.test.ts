import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { startPetalsChat, withDefaultModel, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { connectLegacy } from '../../e2e/support/websocket.ts'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest, statusesOf } from '../support/raw-http.ts'
import { userIncidents } from './users.incidents.ts'

const incident = testsOf(userIncidents)

const config = (trusted: string): string => `
llama: { sequences: 4, contextLength: 256, threads: 1 }
server:
  trustedProxies: ['${trusted}']
  signIn: { proxy: { userHeader: X-Forwarded-User } }
`

let folder: string
let server: PetalsChat
async function start(trusted: string): Promise<PetalsChat> {
  const file = path.join(folder, `${trusted}.yaml`)
  await writeFile(file, config(trusted))
  return startPetalsChat({ args: ['--config', file], env: await withDefaultModel(), untilReady: false })
}
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-users-'))
  server = await start('127.0.0.1')
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const alice = { 'x-forwarded-user': 'alice' }
const bob = { 'x-forwarded-user': 'bob' }
type Headers = Readonly<Record<string, string>>

const request = (target: string, headers: Headers, method = 'GET', body?: object): Promise<Response> =>
  fetch(server.url + target, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  })
const complete = (headers: Headers, fields: object = {}): Promise<Response> =>
  request('/v1/completions', headers, 'POST', { prompt: 'Once', max_tokens: 2, temperature: 0, ...fields })

interface KeptAnswer extends AsyncDisposable {
  readonly id: string
}

/** A long answer that its maker still reads. */
async function keptAnswer(headers: Headers): Promise<KeptAnswer> {
  const fields = { stream: true, resumable: true, max_tokens: 200, ignore_eos: true }
  const response = await complete(headers, fields)
  const id = response.headers.get('x-answer-id')
  expect(id).toMatch(/^ans_/)
  return { id: id!, [Symbol.asyncDispose]: () => response.body!.cancel() }
}

incident('CVE-2026-31950', async () => {
  await using answer = await keptAnswer(alice)
  const stream = `/v1/answers/${answer.id}/stream`
  expect((await request(stream, {})).status).toBe(401)
  const others = await request(stream, bob)
  const unknown = await request(`/v1/answers/ans_${'A'.repeat(22)}/stream`, bob)
  expect([others.status, await others.text()]).toEqual([404, await unknown.text()])
  const own = await request(stream, alice)
  expect(own.status).toBe(200)
  await own.body!.cancel()
})

incident('CVE-2026-45671', async () => {
  await using answer = await keptAnswer(alice)
  const place = `/v1/answers/${answer.id}`
  expect((await request(place, bob, 'DELETE')).status).toBe(404)
  expect((await request(`${place}/cancel`, bob, 'POST')).status).toBe(404)
  expect((await request(place, {}, 'DELETE')).status).toBe(401)
  expect((await request(place, alice, 'DELETE')).status).toBe(200)
})

incident('CVE-2026-45349', async () => {
  using own = await connectLegacy(server.url, alice)
  own.send({ type: 'open_inference_session', max_length: 64, resumable: true })
  const { id } = (await own.receive()) as unknown as { readonly id: string }
  expect(id).toMatch(/^ans_/)
  using other = await connectLegacy(server.url, bob)
  other.send({ type: 'resume', id, received: 0 })
  expect(await other.receive()).toMatchObject({ ok: false, traceback: expect.stringMatching(/no answer/) })
  own.send({ type: 'generate', inputs: 'Once', max_new_tokens: 1 })
  expect(await own.receive()).toMatchObject({ ok: true })
})

incident('CVE-2025-46570', async () => {
  const prompt = `A prefix that no other test sends: ${'word '.repeat(60)}`
  const cached = async (headers: Headers): Promise<number> => {
    const body = (await (await complete(headers, { prompt })).json()) as {
      readonly usage: { readonly prompt_tokens_details?: { readonly cached_tokens: number } }
    }
    return body.usage.prompt_tokens_details?.cached_tokens ?? 0
  }
  expect(await cached(alice)).toBe(0)
  expect(await cached(bob)).toBe(0)
  expect(await cached(alice)).toBeGreaterThan(50)
})

incident('CVE-2026-59822', async () => {
  const { host } = new URL(server.url)
  const values = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Basic YTpi',
    'Negotiate x',
    'bearer null',
    'Bearer undefined',
    'OAuth2 x',
    '\t',
  ]
  const targets = [
    '/v1/models',
    '/v1/chat/completions',
    '/v1/answers/x/stream',
    '/api/v1/models',
    '/metrics',
    '/v1/nowhere',
    '/mcp',
  ]
  for (const value of values)
    for (const target of targets)
      expect(
        statusesOf(
          await exchange(server.url, rawRequest({ target, host, headers: [`Authorization: ${value}`] })),
        )[0],
        `${target} ${value}`,
      ).toSatisfy((status: number) => status >= 400 && status < 500)
})

incident('CVE-2025-64513', async () => {
  const { host } = new URL(server.url)
  const models = (...headers: readonly string[]): Promise<string> =>
    exchange(server.url, rawRequest({ target: '/v1/models', host, headers }))
  expect(statusesOf(await models('X-Forwarded-User: alice'))).toEqual([200])
  for (const headers of [
    ['X-Forwarded-User: alice', 'X-Forwarded-User: admin'],
    ['X-Forwarded-User: alice,admin'],
    ['X-Forwarded-User: '],
    ['X-Forwarded_User: alice'],
    ['X-Remote-User: admin'],
    ['sourceId: @@milvus-member@@'],
  ])
    expect(statusesOf(await models(...headers)), headers.join()).toEqual([401])
  await using distrusting = await start('192.0.2.1')
  expect((await fetch(`${distrusting.url}/v1/models`, { headers: alice })).status).toBe(401)
})
