import { setTimeout as sleep } from 'node:timers/promises'
import {
  CapacityError,
  ContextLengthError,
  GenerationFailedError,
  InvalidRequestError,
  ModelUnavailableError,
} from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf, openModel, question, textOf } from '../fixtures/test-model.ts'
import { begin, delta, end, json, send, stream, TestServer } from '../fixtures/test-server.ts'

let server: TestServer
beforeEach(async () => void (server = await TestServer.start()))
afterEach(() => server.close())

describe('a server that fails', () => {
  const failures: readonly [name: string, TestServer['answer'], type: unknown, words: RegExp][] = [
    [
      'with 400',
      (response) =>
        json(response, 400, { error: { message: 'temperature must be small', param: 'temperature' } }),
      InvalidRequestError,
      /refuses the request: temperature must be small\./,
    ],
    [
      'with too long a prompt',
      (response) =>
        json(response, 400, {
          object: 'error',
          message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        }),
      ContextLengthError,
      /maximum context length is 4096/,
    ],
    [
      'with 404',
      (response) => json(response, 404, { detail: 'Not Found' }),
      ModelUnavailableError,
      /does not know the address or the model: Not Found\. Check baseUrl/,
    ],
    [
      'with 500 and a page',
      (response) => void response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>no</h1>'),
      ModelUnavailableError,
      /answers with the status 500/,
    ],
    [
      'with 429',
      (response) => json(response, 429, { error: { message: 'Slow down' } }, { 'retry-after': '7' }),
      CapacityError,
      /is busy: Slow down\./,
    ],
    [
      'with a page',
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
      ModelUnavailableError,
      /answers with 'text\/html' instead of an event stream/,
    ],
    [
      'with an event that is not JSON',
      (response) => {
        begin(response)
        response.end('data: {"choices"\n\n')
      },
      ModelUnavailableError,
      /sent an event that is not JSON/,
    ],
    [
      'with an event of something else',
      (response) => stream(response, [{ choices: 'none' }]),
      ModelUnavailableError,
      /sent an event that is none of the API/,
    ],
    [
      'with an error event',
      (response) => stream(response, [{ error: { message: 'Out of memory', code: 503 } }]),
      ModelUnavailableError,
      /answers with the status 503: Out of memory\./,
    ],
    [
      'by ending too early',
      (response) => {
        begin(response)
        response.end()
      },
      ModelUnavailableError,
      /ended an answer before it was complete/,
    ],
    [
      'with an event without end',
      (response) => {
        begin(response)
        response.end(`data: ${'x'.repeat(9 * 1024 * 1024)}`)
      },
      ModelUnavailableError,
      /sent an event of more than 8388608 characters/,
    ],
  ]
  it.each(failures)('%s is named', async (_, answer, type, words) => {
    server.answer = answer
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 0 })
    const thrown = (await eventsOf(opened.model).catch((error: unknown) => error)) as Error
    expect(thrown).toBeInstanceOf(type)
    expect(thrown.message).toMatch(words)
    expect(thrown.message).toContain(`the model 'big' (127.0.0.1:${server.port})`)
  })

  it.each([429, 500, 503])('and says with %i when to come back is not asked before', async (status) => {
    server.answer = (response) => json(response, status, {}, { 'retry-after': '7' })
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 5 })
    await expect(eventsOf(opened.model)).rejects.toMatchObject({ retryAfterMs: 7000 })
    expect(server.asked).toHaveLength(1)
  })

  it('to keep a connection has not failed: the request is sent again', async () => {
    server.answer = (response, request) => {
      if (request.isReused) response.destroy()
      else stream(response, [delta({ content: 'Hi' }), end()])
    }
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 0, healthIntervalMs: 60_000 })
    for (let count = 0; count < 3; count++) expect(textOf(await eventsOf(opened.model))).toBe('Hi')
    expect(server.asked.some(({ isReused }) => isReused)).toBe(true)
    expect(await opened.model.status()).toMatchObject({ state: 'ready' })
  })

  it('for good, in this place, is not asked again', async () => {
    server.answer = (response) => json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl, retries: 5 })
    await expect(eventsOf(opened.model)).rejects.toThrow(/does not know the address or the model/)
    expect(server.asked).toHaveLength(1)
  })

  it('for a moment is asked again', async () => {
    const answer = server.answer
    server.answer = (response, request) =>
      server.asked.length < 3 ? json(response, 503, {}, { 'retry-after-ms': '1' }) : answer(response, request)
    await using opened = await openModel({ baseUrl: server.baseUrl })
    expect(textOf(await eventsOf(opened.model))).toBe('Hi')
    expect(server.asked).toHaveLength(3)
  })

  it('after its first token is not asked again: the client has seen that token', async () => {
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'Half' }))
      setImmediate(() => response.destroy())
    }
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const seen: string[] = []
    const read = async () => {
      for await (const event of opened.model.answer({ kind: 'chat', fields: question })) seen.push(event.type)
    }
    await expect(read()).rejects.toThrow(GenerationFailedError)
    expect(seen).toEqual(['parts'])
    expect(server.asked).toHaveLength(1)
  })

  it('that does not answer is given up in time, before and after its first token', async () => {
    server.answer = () => {}
    await using hanging = await openModel({ baseUrl: server.baseUrl, retries: 0, firstTokenTimeoutMs: 50 })
    await expect(eventsOf(hanging.model)).rejects.toThrow(/wrote no token for 0\.05 s/)
    expect(server.asked).toHaveLength(1)
    server.answer = (response) => {
      begin(response)
      send(response, delta({ content: 'Half' }))
    }
    await using silent = await openModel({ baseUrl: server.baseUrl, retries: 0, idleTimeoutMs: 50 })
    await expect(eventsOf(silent.model)).rejects.toThrow(/sent nothing for 0\.05 s/)
  })

  it('that sends headers and then reads a long prompt is waited for', async () => {
    server.answer = async (response) => {
      begin(response)
      response.flushHeaders()
      await sleep(150)
      send(response, delta({ content: 'Late' }))
      send(response, end())
      response.end()
    }
    await using opened = await openModel({ baseUrl: server.baseUrl, idleTimeoutMs: 50 })
    expect(textOf(await eventsOf(opened.model))).toBe('Late')
    expect(server.asked).toHaveLength(1)
  })

  it('that is slow, but not silent, is waited for', async () => {
    server.answer = async (response) => {
      begin(response)
      for (const letter of 'slow') {
        send(response, delta({ content: letter }))
        await sleep(40)
      }
      send(response, end())
      response.end()
    }
    await using opened = await openModel({
      baseUrl: server.baseUrl,
      idleTimeoutMs: 2_000,
      firstTokenTimeoutMs: 2_000,
    })
    expect(textOf(await eventsOf(opened.model))).toBe('slow')
  })

  it('and is not there is named with what to do, and found again when it is there', async () => {
    const { port } = server
    await server.close()
    await using opened = await openModel({
      baseUrl: `http://127.0.0.1:${port}/v1`,
      retries: 0,
      healthIntervalMs: 20,
    })
    expect(await opened.model.status()).toMatchObject({
      state: 'unavailable',
      detail: `The server of this model can't be used (127.0.0.1:${port}: nothing listens at that address).`,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(
      /can't be reached: nothing listens at that address\. Start it/,
    )
    server = new TestServer()
    await server.listen(port)
    await expect.poll(() => opened.model.status()).toMatchObject({ state: 'ready' })
    expect(textOf(await eventsOf(opened.model))).toBe('Hi')
  })
})
