import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { answerClient } from './answer-client.ts'
import type { AnswerChunk } from './answer-chunk.ts'
import { ApiError, type ApiErrorDetails } from './errors.ts'

/** The response of the fake server. */
let answer: () => Response
const seen: string[] = []
const bodies: unknown[] = []

beforeEach(() => {
  seen.length = 0
  bodies.length = 0
  vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) => {
    const position = new Headers(init.headers).get('last-event-id') ?? ''
    seen.push(`${init.method ?? 'GET'} ${path} ${position}`.trim())
    if (typeof init.body === 'string') bodies.push(JSON.parse(init.body))
    return Promise.resolve(answer())
  })
})
afterEach(() => void vi.unstubAllGlobals())

const event = (number: number, body: unknown) => `id: ans_1:${number}\ndata: ${JSON.stringify(body)}\n\n`
const word = (content: string) => ({ choices: [{ delta: { content } }] })
const request = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] } as const
const position = { answerId: 'ans_1', eventId: 'ans_1:1' }

async function collect(stream: AsyncIterable<AnswerChunk>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk.text
  return text
}

async function failure(stream: AsyncIterable<AnswerChunk>): Promise<ApiErrorDetails> {
  const error: unknown = await collect(stream).catch((cause: unknown) => cause)
  if (!(error instanceof ApiError)) throw new Error(`No ApiError: ${String(error)}`)
  return error.details
}

function stream(...frames: readonly string[]): Response {
  const headers = { 'content-type': 'text/event-stream', 'x-answer-id': 'ans_1' }
  return new Response(frames.join(''), { headers })
}

it('requests a resumable answer and reads it to its end', async () => {
  answer = () => stream(event(1, word('Hel')), ': ping\n\n', event(2, word('lo')), 'data: [DONE]\n\n')
  const onOpen = vi.fn()
  const { signal } = new AbortController()
  expect(await collect(answerClient.request(request, { signal, onOpen }))).toBe('Hello')
  expect(onOpen).toHaveBeenCalledWith('ans_1')
  expect(bodies).toMatchObject([{ ...request, stream: true, resumable: true }])
})

it('treats a stream that ends without [DONE] as broken', async () => {
  answer = () => stream(event(1, word('Hel')))
  const { signal } = new AbortController()
  expect(await failure(answerClient.request(request, { signal }))).toMatchObject({ kind: 'network' })
})

it('reports a refusal in the server’s words', async () => {
  const headers = { 'retry-after': '7', 'x-request-id': 'abc' }
  answer = () => Response.json({ error: { message: 'Full.', code: 'capacity' } }, { status: 429, headers })
  const { signal } = new AbortController()
  expect(await failure(answerClient.request(request, { signal }))).toEqual({
    kind: 'capacity',
    message: 'Full.',
    status: 429,
    code: 'capacity',
    requestId: 'abc',
    retryAfterMs: 7000,
  })
})

it('resumes after the last event, with the rest or with nothing', async () => {
  answer = () => stream(event(2, word('lo')), 'data: [DONE]\n\n')
  const { signal } = new AbortController()
  expect(await collect(answerClient.resume(position, { signal }))).toBe('lo')
  answer = () => new Response(null, { status: 204 })
  expect(await collect(answerClient.resume(position, { signal }))).toBe('')
  expect(seen[0]).toBe('GET v1/answers/ans_1/stream ans_1:1')
})

it.each([404, 400])('recognizes a lost answer by status %i', async (status) => {
  answer = () => Response.json({ error: { message: 'No.', code: 'invalid_value' } }, { status })
  const { signal } = new AbortController()
  expect(await failure(answerClient.resume(position, { signal }))).toMatchObject({ code: 'answer_gone' })
})

it('stops and forgets answers by their ids', async () => {
  answer = () => Response.json({})
  await answerClient.cancel('ans_1')
  await answerClient.forget('ans_1')
  expect(seen).toEqual(['POST v1/answers/ans_1/cancel', 'DELETE v1/answers/ans_1'])
})
