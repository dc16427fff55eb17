import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf, openModel } from '../fixtures/test-model.ts'
import { json, TestServer } from '../fixtures/test-server.ts'

let server: TestServer
beforeEach(async () => void (server = await TestServer.start()))
afterEach(() => server.close())

describe('the key', () => {
  it('goes to the server, and to no address that the server names', async () => {
    await using other = await TestServer.start()
    server.answer = (response) =>
      void response.writeHead(307, { location: `${other.baseUrl}/chat/completions` }).end()
    await using opened = await openModel({
      baseUrl: server.baseUrl,
      apiKey: 'sk-very-secret-1234',
      retries: 0,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(
      /redirects to another address, and redirects are not followed/,
    )
    expect(server.asked[0]!.headers.authorization).toBe('Bearer sk-very-secret-1234')
    expect(other.seen).toEqual([])
  })

  it('is in no error and no log line, even if the server repeats it', async () => {
    const lines: string[] = []
    const write = (fields: object, message: string) => void lines.push(JSON.stringify([fields, message]))
    const logger = { debug: write, info: write, warn: write, error: write, child: () => logger }
    server.answer = (response) =>
      json(response, 400, { error: { message: 'Bad: Authorization sk-very-secret-1234' } })
    await using opened = await openModel(
      { baseUrl: server.baseUrl, apiKey: 'sk-very-secret-1234' },
      { logger },
    )
    const thrown = await eventsOf(opened.model).catch(String)
    expect(thrown).toMatch(/127\.0\.0\.1:\d+\) refuses the request: Bad: Authorization \*\*\*/)
    expect(JSON.stringify([thrown, lines])).not.toContain('very-secret')
  })

  it('that is wrong makes the model unavailable, in words without it', async () => {
    server.models = (response) => json(response, 401, { error: { message: 'Incorrect API key: sk-ab' } })
    server.answer = server.models
    await using opened = await openModel({ baseUrl: server.baseUrl, apiKey: 'wrong', retries: 0 })
    expect(await opened.model.status()).toMatchObject({
      state: 'unavailable',
      detail: expect.stringContaining('refuses the key (401)') as string,
    })
    await expect(eventsOf(opened.model)).rejects.toThrow(/refuses this server's key/)
  })
})
