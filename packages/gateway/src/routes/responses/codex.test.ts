import { readFile } from 'node:fs/promises'
import { responseEventSchema, responseSchema } from '@petals-chat/api'
import { describe, expect } from 'vitest'
import { callsOf } from '../../../../../tests/clients/calls-of.ts'
import { createTestApp } from '../openai/fixtures/test-app.ts'

/**
 * Two requests that Codex 0.171.0 sent to a scripted server: the first of a dialogue, and one after calls of several kinds. Long
 * texts are shortened, ids and folders are replaced.
 */
const [first, later] = JSON.parse(
  await readFile(new URL('fixtures/codex-traffic.json', import.meta.url), 'utf8'),
) as readonly [object, object]

const holds = callsOf('codex', import.meta.url)

describe('what Codex sends', () => {
  holds('stream', 'tools')('is answered by a stream with the call that the model makes', async () => {
    let seen = ''
    const call = '<tool_call>{"name": "exec_command", "arguments": {"cmd": "ls"}}</tool_call>'
    await using app = createTestApp({
      contextLength: 100_000,
      reply: (prompt) => ((seen = prompt), `I look. ${call}`),
    })
    const response = await app.post('/v1/responses', first)
    expect(response.status).toBe(200)
    const events = [...(await response.text()).matchAll(/^data: (.+)$/gm)].map(([, json]) =>
      responseEventSchema.parse(JSON.parse(json!)),
    )
    expect(events.at(-1)).toMatchObject({
      type: 'response.completed',
      response: {
        store: false,
        output: [
          { type: 'message' },
          { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"ls"}' },
        ],
      },
    })
    for (const name of ['exec_command', 'spawn_agent', 'update_goal']) expect(seen).toContain(`"${name}"`)
    expect(seen).not.toContain('web_search')
  })

  holds('tools')(
    'has calls of groups and custom tools with their results, which the model reads in order',
    async () => {
      let seen = ''
      await using app = createTestApp({
        contextLength: 100_000,
        reply: (prompt) => ((seen = prompt), 'Done.'),
      })
      const response = await app.post('/v1/responses', { ...later, stream: false })
      expect(responseSchema.parse(await response.json()).output).toMatchObject([
        { content: [{ text: 'Done.' }] },
      ])
      const places = [
        'Begin Patch',
        'echo hi',
        'unsupported custom tool',
        'Process exited',
        'close_agent',
        'invalid agent',
      ]
      const found = places.map((text) => seen.lastIndexOf(text))
      expect(found.every((place) => place > 0)).toBe(true)
      expect(found).toEqual(found.toSorted((left, right) => left - right))
    },
  )
})
