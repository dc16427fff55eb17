import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createTestGateway, type TestGateway } from '../../packages/gateway/src/fixtures/test-gateway.ts'
import { deployFile, SITE, startCaddySite, startNginxSite, type TlsProxy } from './support/proxies.ts'
import { parrot } from './support/scripted-chat.ts'

/** The model awaits this before each of its bytes. */
let pace: (step: number) => Promise<void> = async () => {}

interface Gateway extends TestGateway {
  readonly port: number
}

/** The gateway with the configuration of docs/deployment.md. It tells what it takes a client for. */
async function startGateway(changes: object = {}): Promise<Gateway> {
  const { server } = parse(deployFile('petals-chat.yaml')) as { readonly server: object }
  const test = createTestGateway({
    ...parrot((step) => pace(step)),
    config: { ...server, port: 0, access: { keys: 'off' }, ...changes },
  })
  const app = await test.gateway.prepare()
  app.get('/client', (c) => c.json({ ...c.var.client, port: address.port }))
  const address = await test.listen()
  return { ...test, port: address.port }
}

const proxies: TlsProxy[] = []
const gateways: Gateway[] = []
beforeAll(async () => {
  gateways.push(await startGateway(), await startGateway())
  const ports = gateways.map(({ port }) => port)
  proxies.push(await startNginxSite(ports), await startCaddySite(ports))
})
afterAll(async () => {
  for (const each of [...proxies, ...gateways]) await each[Symbol.asyncDispose]()
})

const question = JSON.stringify({ messages: [{ role: 'user', content: 'Is it there?' }], stream: true })
const proxyOf = (name: string): TlsProxy => proxies.find((proxy) => proxy.name === name)!

describe.each(['nginx', 'caddy'])('behind %s with TLS, as in docs/deployment.md', (name) => {
  it('the client has its own address, whatever it claims, and TLS', async () => {
    const forged = { 'x-forwarded-for': '192.0.2.9', 'x-forwarded-proto': 'http', forwarded: 'for=192.0.2.9' }
    for (const headers of [{}, forged]) {
      const { body } = await proxyOf(name).get('/client', { headers })
      expect(JSON.parse(body)).toMatchObject({ address: '127.0.0.2', network: '127.0.0.2', secure: true })
    }
  })

  it('tokens go out as they come', async () => {
    const gate = Promise.withResolvers<void>()
    pace = async (step) => (step > 8 ? gate.promise : undefined)
    try {
      let seen = ''
      for await (const chunk of await proxyOf(name).stream('/v1/chat/completions', question)) {
        seen += chunk.toString()
        if (/"content":"\w/.test(seen)) break
      }
      expect(seen).toMatch(/"content":"\w/)
      expect(seen).not.toContain('[DONE]')
    } finally {
      gate.resolve()
      pace = async () => {}
    }
  })

  it('WebSockets of the page work', async () => {
    const socket = proxyOf(name).webSocket('/api/v2/generate')
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'open_inference_session', max_length: 64 }))
    const [message] = (await once(socket, 'message')) as [Buffer]
    expect(JSON.parse(message.toString())).toEqual({ ok: true })
    socket.close()
    await once(socket, 'close')
  })

  it('a client stays with one process', async () => {
    const ports = new Set<number>()
    for (let request = 0; request < 6; request++)
      ports.add((JSON.parse((await proxyOf(name).get('/client')).body) as { port: number }).port)
    expect(ports.size).toBe(1)
  })

  it('metrics are not for the world, and a body has its limit', async () => {
    expect((await proxyOf(name).get('/metrics')).status).toBe(404)
    // Hardly more than the limit, so that a proxy that refuses it still reads it to the end.
    const body = JSON.stringify({ prompt: 'x'.repeat(4 * 1024 * 1024 + 1024) })
    // The server reads the rest of such a body for half a second. A busy proxy is slower at times, and reports the end as a 502.
    const status = async () => (await proxyOf(name).get('/v1/completions', { body })).status
    await expect.poll(status).toBe(413)
  })

  it('another name is refused', async () => {
    const { status, body } = await proxyOf(name).get('/client', { headers: { host: 'evil.example' } })
    expect([status, body]).not.toEqual([200, expect.stringContaining('address')])
  })
})

it('below a path of another site, behind nginx', async () => {
  await using gateway = await startGateway({ basePath: '/chat' })
  await using proxy = await startNginxSite([gateway.port], deployFile('nginx-sub-path.conf'))
  const { body } = await proxy.get('/chat/client')
  expect(JSON.parse(body)).toMatchObject({ address: '127.0.0.2', secure: true })
  for await (const chunk of await proxy.stream('/chat/v1/chat/completions', question)) {
    expect(chunk.toString()).toContain('data: ')
    break
  }
})

it('the names of the examples agree', () => {
  for (const file of ['nginx.conf', 'Caddyfile', 'petals-chat.yaml']) expect(deployFile(file)).toContain(SITE)
})
