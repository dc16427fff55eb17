import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'
import { localUrls, startCanary, type Canary } from '../support/canary.ts'
import { testsOf } from '../support/incident.ts'
import { chat, expectRefused, messages, post } from '../support/requests.ts'
import { referenceIncidents } from './references.incidents.ts'

const url = inject('serverUrl')
const incident = testsOf(referenceIncidents)

describe('what a request names', () => {
  let canary: Canary
  let folder: string
  beforeAll(async () => {
    canary = await startCanary()
    folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-started-'))
  })
  afterAll(async () => {
    await canary[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const partsOf = (address: string): readonly object[] => [
    { type: 'image_url', image_url: { url: address } },
    { type: 'image_url', image_url: address },
    { type: 'input_audio', input_audio: { data: address, format: 'wav' } },
    { type: 'video_url', video_url: { url: address } },
    { type: 'file', file: { file_data: address, filename: address } },
  ]

  /** A picture at the address, as the other APIs name it. */
  const otherDialects = (address: string): readonly (readonly [string, object])[] => {
    const image = { type: 'image', source: { type: 'url', url: address } }
    const input = [{ role: 'user', content: [{ type: 'input_image', image_url: address }] }]
    return [
      ['/v1/messages', { max_tokens: 1, messages: [{ role: 'user', content: [image] }] }],
      ['/v1/responses', { input }],
      ['/api/chat', { messages: [{ role: 'user', content: 'Hello', images: [address] }] }],
      ['/api/generate', { prompt: 'Hello', images: [address] }],
    ]
  }

  async function expectNothingFetched(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      for (const part of partsOf(address))
        await expectRefused(chat({ messages: [{ role: 'user', content: [part] }] }))
      for (const [target, body] of otherDialects(address)) await expectRefused(post(target, body))
      const markdown = [{ role: 'user', content: `![](${address}) <img src="${address}">` }]
      expect((await post('/v1/tokenize', { messages: markdown })).status).toBe(200)
    }
    expect(canary.requests).toEqual([])
  }

  incident('CVE-2025-6242', () => expectNothingFetched(localUrls(canary.port).slice(0, 3)))

  incident('CVE-2026-24779', () =>
    expectNothingFetched([
      ...localUrls(canary.port).slice(-2),
      `http:\\\\127.0.0.1:${canary.port}\\secret.png`,
      `file:///etc/passwd`,
      `data:image/png;base64,${'A'.repeat(64)}`,
    ]),
  )

  incident('CVE-2026-31943', async () => {
    for (const address of localUrls(canary.port)) {
      const named = await post('/v1/chat/completions', { model: address, messages, max_tokens: 1 })
      expect(named.status).toBeOneOf([200, 404])
      expect((await fetch(`${url}/v1/models/${encodeURIComponent(address)}`)).status).toBe(404)
      const mcp = { type: 'mcp', server_url: address, server_label: 'x' }
      await expectRefused(chat({ tools: [mcp] }))
      await expectRefused(post('/v1/responses', { input: 'Hello', tools: [mcp] }))
    }
    expect(canary.requests).toEqual([])
  })

  incident('CVE-2026-5530', async () => {
    for (const address of localUrls(canary.port))
      for (const target of ['/api/pull', '/api/v1/pull', '/v1/models', '/api/create', '/models/load'])
        for (const names of [{ model: address }, { name: address }, { model: address, source: address }])
          // 400: the configuration says which models there are.
          expect((await post(target, names)).status, target).toBeOneOf([400, 404, 405])
    expect(canary.requests).toEqual([])
  })

  incident('CVE-2026-7482', async () => {
    for (const target of [
      `/api/blobs/sha256:${'0'.repeat(64)}`,
      '/api/create',
      '/api/push',
      '/v1/files',
      '/v1/uploads',
    ])
      for (const method of ['POST', 'PUT', 'HEAD'])
        expect((await fetch(url + target, { method })).status, target).toBeOneOf([400, 404, 405])
  })

  /** A command for each way in which programs were made to start one. */
  const commands = (name: string) => ({
    command: 'touch',
    args: [path.join(folder, name)],
    code: `__import__('os').system('touch ${path.join(folder, name)}')`,
  })

  incident('CVE-2026-22252', async () => {
    const { command, args } = commands('mcp')
    const stdio = { type: 'mcp', server_label: 'x', command, args, transport: 'stdio' }
    await expectRefused(chat({ tools: [stdio] }))
    await expectRefused(post('/v1/responses', { input: 'Hello', tools: [stdio] }))
    for (const target of ['/api/mcp/servers', '/mcp', '/api/v1/mcp'])
      expect((await post(target, { ...stdio, mcpServers: { x: stdio } })).status).toBe(404)
    expect(existsSync(path.join(folder, 'mcp'))).toBe(false)
  })

  incident('CVE-2025-65513', async () => {
    // A backslash ends the host: what stands behind it is the path of a public page.
    const asked = localUrls(canary.port).filter((address) => new URL(address).hostname !== 'public.example')
    for (const address of [...asked, ...asked.map((each) => each.replace(`:${canary.port}`, ''))]) {
      const { status, text } = await post('/api/tools/call', { name: 'fetch', arguments: { url: address } })
      expect([status, text]).toEqual([200, expect.stringMatching(/"isError":true/)])
      expect(text).toMatch(/may not be fetched|must not have a name or a password|is no web address/)
    }
    expect(canary.requests).toEqual([])
  })

  incident('CVE-2026-42271', async () => {
    const { command, args } = commands('test')
    for (const target of ['/mcp-rest/test/connection', '/mcp-rest/test/tools/list', '/v1/mcp/test'])
      expect((await post(target, { command, args, transport: 'stdio' })).status).toBe(404)
    expect(existsSync(path.join(folder, 'test'))).toBe(false)
  })

  incident('CVE-2025-3248', async () => {
    const { code } = commands('code')
    for (const target of ['/api/v1/validate/code', '/api/v1/run', '/v1/code', '/eval'])
      expect((await post(target, { code })).status).toBe(404)
    const evaluated = [
      code,
      '${process.exit(1)}',
      '{{ cycler.__init__.__globals__ }}',
      '<%= process.exit(1) %>',
    ]
    for (const content of evaluated)
      expect((await post('/v1/tokenize', { messages: [{ role: 'user', content }] })).status).toBe(200)
    expect(existsSync(path.join(folder, 'code'))).toBe(false)
  })
})
