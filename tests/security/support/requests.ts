import { expect, inject } from 'vitest'

const url = inject('serverUrl')

/** What a request got. */
export interface Answer {
  readonly status: number
  readonly text: string
}

export async function post(target: string, body: unknown, type = 'application/json'): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url + target, {
    method: 'POST',
    headers: { 'content-type': type },
    body: text,
  })
  return { status: response.status, text: await response.text() }
}

export const messages = [{ role: 'user', content: 'Hi' }]
export const chat = (fields: object = {}): Promise<Answer> =>
  post('/v1/chat/completions', { messages, max_tokens: 1, temperature: 0, ...fields })
export const complete = (fields: object): Promise<Answer> =>
  post('/v1/completions', { prompt: 'Once', max_tokens: 1, temperature: 0, ...fields })
export const schema = (value: unknown): Promise<Answer> =>
  chat({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema: value } } })
export const tool = (parameters: unknown): Promise<Answer> =>
  chat({
    tools: [{ type: 'function', function: { name: 'f', parameters } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
  })

/** Refused as the client's fault, with the field's name if it has one; the model still answers. */
export async function expectRefused(answer: Promise<Answer>, field?: string): Promise<void> {
  const { status, text } = await answer
  expect(status, text.slice(0, 300)).toBe(400)
  if (field !== undefined) expect(text).toContain(field)
}

export async function expectAnswers(): Promise<void> {
  const { status, text } = await chat()
  expect(status, text).toBe(200)
}
