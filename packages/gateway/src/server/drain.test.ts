import { once } from 'node:events'
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createTestGateway, eventually } from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'
import { V2Client } from '../fixtures/v2-client.ts'

describe('closing', () => {
  const generate = '/api/v1/generate?inputs=a&max_new_tokens=5'

  it('lets running answers finish, is not ready at once, and takes no more connections', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startTestServer({ beforeStep: () => hold.promise })
    const answer = fetch(`${server.url}${generate}`)
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 5_000 })
    expect((await server.app.request('/ready')).status).toBe(503)
    expect((await server.app.request('/healthz')).status).toBe(200)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
    hold.resolve()
    const response = await answer
    expect(response.status).toBe(200)
    expect(response.headers.get('connection')).toBe('close')
    await closed
    expect(server.engine.openSessions).toBe(0)
  })

  it('does not wait for a connection that its client keeps after a streamed answer', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startTestServer({
      beforeStep: () => hold.promise,
      config: { ssePingIntervalMs: 20 },
    })
    const agent = new Agent({ keepAlive: true })
    const sent = httpRequest(`${server.url}/v1/completions`, { agent, method: 'POST' })
    sent.end(JSON.stringify({ prompt: 'a', max_tokens: 5, stream: true }))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    // The head is out: it has promised to keep the connection.
    expect(response.headers.connection).toBe('keep-alive')
    const closed = server.gateway.close({ drainMs: 600_000 })
    hold.resolve()
    expect(await text(response)).toContain('[DONE]')
    await closed
    agent.destroy()
  })

  it('ends answers that take too long with an error that says why', async () => {
    await using server = await startTestServer({ stepDelayMs: 60_000 })
    const answer = fetch(`${server.url}${generate}`)
    using client = await new V2Client(server.url).open()
    await client.startSession(16)
    client.send({ type: 'generate', inputs: 'a', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 2)
    await server.gateway.close({ drainMs: 30 })
    const response = await answer
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await response.json()).toEqual({ ok: false, traceback: expect.stringContaining('shutting down') })
    expect(await client.next()).toEqual({ ok: false, traceback: expect.stringContaining('shutting down') })
    expect(server.engine.openSessions).toBe(0)
  })

  it('ends event streams that take too long with an error event', async () => {
    await using server = await startTestServer({ stepDelayMs: 5 })
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'test', prompt: 'a', max_tokens: 2000, stream: true }),
    })
    const closed = server.gateway.close({ drainMs: 50 })
    const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('data: '))
    await closed
    expect(events.length).toBeGreaterThan(1)
    expect(events.some((event) => event.includes('"code":"shutting_down"'))).toBe(true)
    expect(events.some((event) => event.includes('"finish_reason":"length"'))).toBe(false)
  })

  it('says for a while that it is not ready, and goes on with everything else', async () => {
    await using server = await startTestServer({ config: { lameDuckMs: 60_000 } })
    const closed = server.gateway.close({ drainMs: 60_000 })
    expect((await fetch(`${server.url}/ready`)).status).toBe(503)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${server.url}${generate}`)).status).toBe(200)
    using client = await new V2Client(server.url).open()
    await client.startSession(16)
    client.send({ type: 'generate', inputs: 'a', max_new_tokens: 5 })
    expect(await client.next()).toMatchObject({ ok: true, token_count: 5 })
    await server.gateway.close({ drainMs: 0 })
    await closed
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })

  it('hurries when asked again', async () => {
    await using server = await startTestServer({ stepDelayMs: 60_000 })
    const answer = fetch(`${server.url}${generate}`)
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 60_000 })
    await server.gateway.close({ drainMs: 0 })
    await closed
    expect((await answer).status).toBe(503)
  })

  it('sends idle WebSockets away at once, and busy ones after their answer', async () => {
    const hold = Promise.withResolvers<void>()
    await using server = await startTestServer({ beforeStep: () => hold.promise })
    using idle = await new V2Client(server.url).open()
    await idle.startSession(16)
    using busy = await new V2Client(server.url).open()
    await busy.startSession(16)
    busy.send({ type: 'generate', inputs: 'a', max_new_tokens: 5 })
    await eventually(() => server.engine.openSessions === 1)
    const closed = server.gateway.close({ drainMs: 5_000 })
    expect(await idle.next()).toMatchObject({ ok: false })
    hold.resolve()
    expect(await busy.next()).toMatchObject({ ok: true, stop: true, token_count: 5 })
    expect(await busy.next()).toMatchObject({ ok: false })
    await closed
  })

  it('does not wait for connections that do nothing', async () => {
    await using server = await startTestServer()
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    const closed = once(socket, 'close')
    await server.gateway.close({ drainMs: 5_000 })
    await closed
  })

  it('closes once, however often it is asked, also when it never listened', async () => {
    await using test = createTestGateway()
    await Promise.all([test.gateway.close(), test.gateway.close({ drainMs: 0 })])
    await using server = await startTestServer()
    await Promise.all([server.gateway.close(), server.gateway[Symbol.asyncDispose]()])
  })
})
