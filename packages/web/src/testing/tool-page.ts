import { expect, vi } from 'vitest'
import type { ToolCallPart } from '../api/answer-chunk.ts'
import type { Message } from '../chat/types.ts'
import type { Script } from './kept-answer-server.ts'
import { scriptedTools, type ScriptedTool } from './scripted-tools.ts'
import { createTestPage } from './test-page.ts'

/** The model says these words, without a call. */
export const says = (...words: string[]): Script => ({ words })

/** A call by the model. */
export const call = (name: string, args = '{}', index = 0): ToolCallPart => ({
  index,
  id: `c${index}`,
  name,
  arguments: args,
})

/** The model calls tools. */
export const calls = (...parts: ToolCallPart[]): Script => ({ words: [], calls: parts })

type Options = Parameters<typeof createTestPage>[0] & { readonly maxRounds?: number }

/** A page with a chat in which these tools are on. */
export async function pageWith(
  tools: Readonly<Record<string, ScriptedTool>>,
  { maxRounds = 4, ...options }: Options = {},
) {
  const toolServer = scriptedTools(tools, { maxRounds })
  const page = createTestPage({ toolServer, ...options })
  const { id: chat } = page.conversation.createChat('small', {}, { tools: Object.keys(tools) })
  const answer = (): Message => page.path(chat).at(-1)!
  const liveCalls = () => page.answers.live.get().get(answer().id)?.calls ?? []
  const asked = async (): Promise<string> => {
    await vi.waitFor(() => expect(liveCalls().some(({ state }) => state === 'asking')).toBe(true))
    return liveCalls().find(({ state }) => state === 'asking')!.id
  }
  return {
    ...page,
    toolServer,
    chat,
    answer,
    liveCalls,
    asked,
    ask: (text = 'Q') => page.conversation.send(chat, { text, attachments: [] }),
    decide: async (decision: 'allow' | 'allow-chat' | 'decline') =>
      page.answers.decide(answer().id, await asked(), decision),
  }
}
