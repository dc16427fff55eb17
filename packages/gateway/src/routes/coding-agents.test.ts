import { readFile } from 'node:fs/promises'
import { messageEventSchema } from '@petals-chat/api'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { callsOf } from '../../../../tests/clients/calls-of.ts'
import { createTestApp, type TestApp } from './openai/fixtures/test-app.ts'

/** A request of an agent that was asked to write a file. Its texts are shortened; everything else is as it was sent. */
interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: {
    readonly stream?: boolean
    readonly tools?: readonly unknown[]
    readonly messages: readonly { readonly role: string }[]
  }
}

/** Calls the agent's own tool while the file is not written yet. */
function reply(prompt: string): string {
  if (/created successfully|Wrote file/.test(prompt)) return 'It is written.'
  const name = ['"Write"', '"write"'].find((each) => prompt.includes(each))
  if (name === undefined) return 'A title'
  return `I write it.\n<tool_call>{"name": ${name}, "arguments": {"content": "Hello"}}</tool_call>`
}

const recorded = async (agent: string): Promise<readonly RecordedRequest[]> =>
  JSON.parse(await readFile(new URL(`recorded/${agent}.json`, import.meta.url), 'utf8')) as RecordedRequest[]

let app: TestApp

beforeAll(() => {
  app = createTestApp({ reply, contextLength: 1_000_000 })
})
afterAll(() => app[Symbol.asyncDispose]())

async function send({ method, path, headers, body }: RecordedRequest): Promise<string> {
  const response = await app.get(path, { method, headers, body: JSON.stringify(body) })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return text
}

const dataOf = (stream: string): unknown[] =>
  [...stream.matchAll(/^data: (\{.*)$/gm)].map(([, json]): unknown => JSON.parse(json!))

describe('what Claude Code 2.1.332 sends', () => {
  const holds = callsOf('claude-code', import.meta.url)

  holds('stream', 'tools')('gets a call of its tool, and the last word after the result', async () => {
    const [first, second] = await recorded('claude-code')
    const call = dataOf(await send(first!)).map((event) => messageEventSchema.parse(event))
    expect(call).toContainEqual(
      expect.objectContaining({
        type: 'content_block_start',
        content_block: expect.objectContaining({ type: 'tool_use', name: 'Write' }) as object,
      }),
    )
    const end = dataOf(await send(second!)).map((event) => messageEventSchema.parse(event))
    expect(end.find(({ type }) => type === 'message_delta')).toMatchObject({
      delta: { stop_reason: 'end_turn' },
    })
  })
})

describe('what opencode 1.18.33 sends', () => {
  const holds = callsOf('opencode', import.meta.url)

  holds('stream', 'tools')(
    'gets a title, a call of its tool, and the last word after the result',
    async () => {
      const [title, first, second] = await recorded('opencode')
      expect(await send(title!)).toContain('"usage":{')
      expect(await send(first!)).toContain('"finish_reason":"tool_calls"')
      expect(await send(second!)).toContain('"finish_reason":"stop"')
    },
  )
})
