import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { MemoryBudget } from '../memory-budget.ts'
import { JsonSocket } from './json-socket.ts'

const never = new AbortController().signal
const patient = { timeoutMs: 10_000, onTimeout: () => new Error('too late'), signal: never }

async function connectPair() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  const opened = once(client, 'open')
  const [socket] = (await once(server, 'connection')) as [WebSocket]
  await opened
  const outer = new AbortController()
  return {
    client,
    outer,
    socket: new JsonSocket(socket, new MemoryBudget(1e9), outer.signal),
    async [Symbol.asyncDispose]() {
      client.terminate()
      socket.terminate()
      server.close()
    },
  }
}

describe('JsonSocket', () => {
  it('gives messages one after another, also those that came ahead', async () => {
    await using pair = await connectPair()
    for (const message of ['1', '2', '3']) pair.client.send(message)
    for (const message of ['1', '2', '3']) expect(await pair.socket.receive(patient)).toBe(message)
  })

  it('stops waiting: after its time, when told, when the client leaves', async () => {
    await using pair = await connectPair()
    await expect(pair.socket.receive({ ...patient, timeoutMs: 10 })).rejects.toThrow('too late')
    const impatient = new AbortController()
    const waiting = pair.socket.receive({ ...patient, signal: impatient.signal })
    impatient.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const last = pair.socket.receive(patient)
    pair.client.close()
    await expect(last).rejects.toThrow('The client closed the connection.')
    await expect(pair.socket.receive(patient)).rejects.toThrow('The client closed the connection.')
    expect(pair.socket.signal.aborted).toBe(true)
    await pair.socket.send({ text: 'that is never read' })
  })

  it('holds the sender up while the client does not read, and lets it go when the client leaves', async () => {
    await using pair = await connectPair()
    pair.client.pause()
    let sent = 0
    const sending = (async () => {
      while (sent < 1000) {
        await pair.socket.send('x'.repeat(256 * 1024))
        sent += 1
      }
    })()
    for (let before = -1; before !== sent;) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect(sent).toBeLessThan(100)
    pair.client.terminate()
    await sending
  })

  it('refuses more waiting text than a prompt would be', async () => {
    await using pair = await connectPair()
    const megabyte = 'x'.repeat(1024 * 1024)
    for (let count = 0; count < 4; count++) pair.client.send(megabyte)
    expect(await pair.socket.receive(patient)).toHaveLength(megabyte.length)
    for (let count = 0; count < 2; count++) pair.client.send(megabyte)
    while (!pair.socket.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(String(pair.socket.signal.reason)).toContain('Wait for answers')
  })

  it('goes on when the client reads again', async () => {
    await using pair = await connectPair()
    pair.client.pause()
    let received = 0
    pair.client.on('message', () => received++)
    const sending = (async () => {
      for (let i = 0; i < 60; i++) await pair.socket.send('x'.repeat(256 * 1024))
    })()
    await new Promise((resolve) => setTimeout(resolve, 50))
    pair.client.resume()
    await sending
    while (received < 60) await once(pair.client, 'message')
  })
})

it('is not confused by a peer that breaks the protocol', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const raw = connect((server.address() as { port: number }).port, '127.0.0.1')
  raw.write(
    'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [socket] = (await once(server, 'connection')) as [WebSocket]
  socket.on('error', () => {})
  const json = new JsonSocket(socket, new MemoryBudget(1e9), never)
  raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  raw.resume()
  await expect(json.receive(patient)).rejects.toThrow('The client closed the connection.')
  raw.destroy()
  server.close()
})
