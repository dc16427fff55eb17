import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { tinyModel, writeGguf } from '../../../packages/llama/src/testing/tiny-gguf.ts'
import { petalsChat, startPetalsChat, type PetalsChat } from '../../e2e/support/petals-chat.ts'
import { connectLegacy } from '../../e2e/support/websocket.ts'
import { testsOf } from '../support/incident.ts'
import { exchange, rawRequest, statusesOf } from '../support/raw-http.ts'
import { keyIncidents } from './keys.incidents.ts'

const incident = testsOf(keyIncidents)

let folder: string
let config: string
let server: PetalsChat
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-keys-'))
  config = path.join(folder, 'petals-chat.yaml')
  await writeFile(config, `server: { access: { keys: required, file: '${folder}/access.sqlite' } }\n`)
  for (const name of ['a', 'b']) await writeFile(path.join(folder, `${name}.gguf`), writeGguf(tinyModel))
  const models = ['--model', `a=${folder}/a.gguf`, '--model', `b=${folder}/b.gguf`]
  server = await startPetalsChat({
    args: ['--config', config, '--preload', 'none', ...models],
    untilReady: false,
  })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** As the operator does it; returns what is printed once. */
async function keys(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await petalsChat(['keys', ...args, '--config', config])
  expect(code, stderr).toBe(0)
  return stdout.trim()
}

const forms: Readonly<Record<string, (key: string) => Readonly<Record<string, string>>>> = {
  bearer: (key) => ({ authorization: `Bearer ${key}` }),
  'x-api-key': (key) => ({ 'x-api-key': key }),
  'api-key': (key) => ({ 'api-key': key }),
}
const bearer = forms['bearer']!

async function send(
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
  method = body ? 'POST' : 'GET',
) {
  const response = await fetch(server.url + target, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  })
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test looks into whatever was sent
  return { status: response.status, body: (await response.json()) as any }
}

incident('CVE-2026-45339', async () => {
  const key = await keys('create', 'lists', '--scopes', 'models')
  for (const [name, headers] of Object.entries(forms)) {
    expect((await send('/v1/models', headers(key))).status, name).toBe(200)
    const { status, body } = await send('/v1/completions', headers(key), { prompt: 'a', model: 'a' })
    expect([status, body.error.code], name).toEqual([403, 'scope_required'])
    expect((await send('/v1/keys', headers(key))).status, name).toBe(403)
  }
  const upgrade = [
    ...['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    `Sec-WebSocket-Protocol: petals-chat.key.${key}`,
  ]
  const request = rawRequest({ target: '/api/v2/generate', host: new URL(server.url).host, headers: upgrade })
  expect(
    statusesOf(await exchange(server.url, request.replace('Connection: close', 'Connection: Upgrade'))),
  ).toEqual([403])
})

incident('CVE-2026-44553', async () => {
  const key = await keys('create', 'leaves')
  using socket = await connectLegacy(server.url, bearer(key))
  const closed = once(socket.socket, 'close')
  await keys('revoke', 'leaves')
  await closed
  expect((await send('/v1/models', bearer(key))).status).toBe(401)
})

incident('CVE-2026-35030', async () => {
  const key = await keys('create', 'whole')
  const other = key.at(-1) === 'a' ? 'b' : 'a'
  const alike = [
    key.slice(0, -1) + other,
    key.slice(0, 20),
    key.slice(0, -1),
    `${key}a`,
    key.toUpperCase(),
    `${key} ${key}`,
    `${key.slice(0, 24)}${'a'.repeat(key.length - 24)}`,
  ]
  for (const [name, headers] of Object.entries(forms))
    for (const wrong of alike) {
      expect((await send('/v1/models', headers(key))).status).toBe(200)
      expect((await send('/v1/models', headers(wrong))).status, `${name} ${wrong}`).toBe(401)
    }
  const two = { authorization: `Bearer ${key}`, 'x-api-key': alike[0]! }
  expect((await send('/v1/models', two)).status).toBe(401)
})

incident('CVE-2026-42208', async () => {
  await keys('create', 'present')
  for (const wrong of [
    `' OR '1'='1`,
    `' OR 1=1 --`,
    `sk-petals-' UNION SELECT * FROM keys --`,
    `sk-petals-aaaaaaaaaaaa-'; DROP TABLE keys; --`,
    `sk-petals-%-%`,
    `sk-petals-____________-${'_'.repeat(43)}`,
    '*',
    '\\',
  ])
    for (const [name, headers] of Object.entries(forms)) {
      const { status, body } = await send('/v1/models', headers(wrong))
      expect([status, body.error.code], `${name} ${wrong}`).toEqual([401, 'invalid_api_key'])
    }
  expect(await keys('list')).toContain('present')
})

incident('LiteLLM#8029', async () => {
  const soon = Math.floor(Date.now() / 1000) + 24 * 3600
  const rights = ['--scopes', 'models,openai,admin', '--models', 'a', '--expires', '2d']
  const maker = bearer(await keys('create', 'maker', ...rights))
  const wanted = { scopes: ['models'], models: ['a'], expires_at: soon }
  for (const more of [
    { models: ['b'] },
    { models: ['a', 'b'] },
    { scopes: ['models', 'metrics'] },
    { scopes: ['legacy'] },
    { expires_at: soon + 7 * 24 * 3600 },
  ]) {
    const { status, body } = await send('/v1/keys', maker, { name: 'more', ...wanted, ...more })
    expect([status, body.error.code], JSON.stringify(more)).toEqual([403, 'scope_required'])
  }
  // What is left out is the maker's own.
  const { body: child } = await send('/v1/keys', maker, { name: 'child', scopes: ['models'] })
  expect([child.models, child.expires_at]).toEqual([['a'], expect.any(Number)])
  const { body: list } = await send('/v1/models', bearer(child.key))
  expect(list.data.map(({ id }: { readonly id: string }) => id)).toEqual(['a'])
  // Two keys would have twice the requests of one.
  const limited = bearer(await keys('create', 'limited', ...rights, '--requests-per-minute', '10'))
  for (const limits of [null, {}, { requestsPerMinute: 5 }, { requestsPerMinute: 1000 }])
    expect((await send('/v1/keys', limited, { name: 'x', ...wanted, limits })).status).toBe(403)
})

incident('LiteLLM#7336', async () => {
  const one = bearer(await keys('create', 'one', '--scopes', 'models,admin'))
  const two = bearer(await keys('create', 'two', '--scopes', 'models,admin'))
  const { body: child } = await send('/v1/keys', one, { name: 'of one', scopes: ['models'] })
  expect(child.key).toMatch(/^sk-petals-/)
  expect((await send('/v1/keys', two)).body.data).toEqual([])
  expect((await send(`/v1/keys/${child.id}/rotate`, two, {})).status).toBe(404)
  expect((await send(`/v1/keys/${child.id}`, two, undefined, 'DELETE')).status).toBe(404)
  expect((await send('/v1/models', bearer(child.key))).status).toBe(200)
})

incident('CVE-2025-61928', async () => {
  for (const body of [
    { name: 'x' },
    { name: 'x', userId: 'admin' },
    { name: 'x', made_by: 'one', scopes: ['admin'] },
  ])
    expect((await send('/v1/keys', {}, body)).status).toBe(401)
  for (const [method, target] of [
    ['GET', ''],
    ['POST', '/x/rotate'],
    ['DELETE', '/x'],
  ] as const)
    expect((await fetch(`${server.url}/v1/keys${target}`, { method })).status).toBe(401)
})

incident('Ollama exposed', async () => {
  const file = path.join(folder, 'public.yaml')
  await writeFile(file, `server: { access: { file: '${folder}/public.sqlite' } }\n`)
  const args = ['--config', file, '--host', '0.0.0.0', '--preload', 'none', '--model', `a=${folder}/a.gguf`]
  await using open = await startPetalsChat({ args, untilReady: false })
  const url = open.url.replace('0.0.0.0', '127.0.0.1')
  for (const target of [
    '/v1/models',
    '/v1/chat/completions',
    '/api/v1/generate',
    '/api/v1/models',
    '/metrics',
    '/api/v1/swarm',
  ])
    for (const method of ['GET', 'POST'])
      expect((await fetch(url + target, { method })).status, `${method} ${target}`).toBeOneOf([401, 405])
})
