import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openModel, question } from '../fixtures/test-model.ts'
import { begin, delta, send, TestServer } from '../fixtures/test-server.ts'

let server: TestServer
beforeEach(async () => void (server = await TestServer.start()))
afterEach(() => server.close())

describe('a caller that stops', () => {
  it('ends the work of the server at once', async () => {
    let sent = 0
    server.answer = async (response) => {
      begin(response)
      while (!response.destroyed) {
        send(response, delta({ content: 'x' }))
        sent += 1
        await sleep(5)
      }
    }
    await using opened = await openModel({ baseUrl: server.baseUrl })
    for await (const event of opened.model.answer({ kind: 'chat', fields: question }))
      if (event.type === 'parts') break
    await expect.poll(() => server.cut).toBe(1)
    const stopping = new AbortController()
    const reason = new Error('stop')
    const read = async () => {
      for await (const _ of opened.model.answer(
        { kind: 'chat', fields: question },
        { signal: stopping.signal },
      ))
        stopping.abort(reason)
    }
    await expect(read()).rejects.toBe(reason)
    await expect.poll(() => server.cut).toBe(2)
    const atEnd = sent
    await sleep(30)
    expect(sent).toBeLessThanOrEqual(atEnd + 1)
  })

  it('need not wait for the headers, or for a pause between attempts', async () => {
    server.answer = () => {}
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const reason = new Error('stop')
    const stopping = new AbortController()
    const reading = opened.model.answer({ kind: 'chat', fields: question }, { signal: stopping.signal })
    const first = reading[Symbol.asyncIterator]().next()
    await expect.poll(() => server.asked.length).toBe(1)
    stopping.abort(reason)
    await expect(first).rejects.toBe(reason)
    await expect.poll(() => server.cut).toBe(1)
  })
})
