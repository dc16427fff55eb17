import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openModel, question } from '../fixtures/test-model.ts'
import { json, TestServer } from '../fixtures/test-server.ts'

let server: TestServer
beforeEach(async () => void (server = await TestServer.start()))
afterEach(() => server.close())

describe('the count of tokens', () => {
  it('is that of a server that counts, wherever its route is', async () => {
    server.answer = (response, { path }) =>
      path === '/tokenize'
        ? json(response, 200, { count: 2, max_model_len: 8, tokens: [5, 6] })
        : json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl, model: 'org/big', apiKey: 'key' })
    for (let count = 0; count < 2; count++)
      expect(await opened.model.tokenize(question)).toEqual({ count: 2, tokens: [5, 6] })
    expect(server.asked.map(({ path }) => path)).toEqual(['/v1/tokenize', '/tokenize', '/tokenize'])
    expect(server.asked[2]).toMatchObject({ body: { ...question, model: 'org/big' } })
  })

  it.each([400, 401, 429, 500, 503])(
    'is asked for again after one that was refused with %d',
    async (status) => {
      server.answer = (response) => json(response, status, {})
      await using opened = await openModel({ baseUrl: server.baseUrl })
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 10, tokens: [] })
      server.answer = (response) => json(response, 200, { count: 3 })
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 3, tokens: [] })
    },
  )

  it('is asked for again after one that a counting server refused', async () => {
    let status = 200
    server.answer = (response) => json(response, status, { count: 2 })
    await using opened = await openModel({ baseUrl: server.baseUrl })
    const counts: number[] = []
    for (status of [200, 400, 200])
      counts.push((await opened.model.tokenize({ prompt: 'x'.repeat(40) })).count)
    expect(counts).toEqual([2, 10, 2])
  })

  it('is estimated for a server that does not, which is not asked again', async () => {
    server.answer = (response) => json(response, 404, {})
    await using opened = await openModel({ baseUrl: server.baseUrl })
    for (let count = 0; count < 2; count++)
      expect(await opened.model.tokenize({ prompt: 'x'.repeat(40) })).toEqual({ count: 10, tokens: [] })
    expect(server.asked).toHaveLength(2)
  })
})
