import { ContextLengthError, greedy, modelSpecSchema } from '@petals-chat/engine'
import { ScriptedEngine, type ScriptedEngineOptions } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { Conversation, type ConversationOptions } from './conversation.ts'

const spec = modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' })

async function start(engineOptions: ScriptedEngineOptions, options: Partial<ConversationOptions> = {}) {
  const engine = new ScriptedEngine(engineOptions)
  const model = await engine.load(spec)
  return {
    engine,
    conversation: new Conversation(model, { sampling: greedy, maxNewTokens: 2048, ...options }),
  }
}

async function ask(conversation: Conversation, text: string, signal?: AbortSignal) {
  const texts: string[] = []
  const answer = conversation.answer(text, { signal })
  let step = await answer.next()
  for (; !step.done; step = await answer.next()) texts.push(step.value)
  return { text: texts.join(''), end: step.value }
}

function recordPrompts(answer: (prompt: string) => string) {
  const prompts: string[] = []
  const reply = (prompt: string) => {
    prompts.push(prompt)
    return answer(prompt)
  }
  return { prompts, reply }
}

describe('Conversation', () => {
  it('passes the whole dialogue to the model, but runs only the new tokens', async () => {
    const { prompts, reply } = recordPrompts((prompt) =>
      prompt.includes('second') ? 'answer 2' : 'answer 1',
    )
    const { engine, conversation } = await start({ reply }, { system: 'Be brief.' })
    expect((await ask(conversation, 'first')).text).toBe('answer 1')
    const second = await ask(conversation, 'second')
    expect(second.text).toBe('answer 2')
    expect(prompts.at(-1)).toMatch(/Be brief\..*first.*answer 1.*second/s)
    expect(second.end?.usage.cachedTokens).toBeGreaterThan(0)
    expect(engine.sessionsOpened).toBe(1)
    await conversation[Symbol.asyncDispose]()
    expect(engine.openSessions).toBe(0)
  })

  it('stops at once, and remembers the answer as far as it got', async () => {
    const { prompts, reply } = recordPrompts(() => 'abcdefghij')
    const stopping = new AbortController()
    const { conversation } = await start({
      reply,
      beforeStep: ({ step }) => (step === 4 ? stopping.abort() : undefined),
    })
    const { text, end } = await ask(conversation, 'first', stopping.signal)
    expect(text).toMatch(/^abc?d?e?$/)
    expect(end).toBeUndefined()
    await ask(conversation, 'second')
    expect(prompts.at(-1)).toMatch(new RegExp(`first.*${text}.*second`, 's'))
    expect(prompts.at(-1)).not.toContain('abcdefghij')
  })

  it('drops a message that can’t be answered, and continues', async () => {
    const prompts: string[] = []
    const { conversation } = await start({
      contextLength: 64,
      reply: (prompt) => (prompts.push(prompt), 'ok'),
    })
    await expect(ask(conversation, 'x'.repeat(100))).rejects.toThrow(ContextLengthError)
    expect((await ask(conversation, 'short')).text).toBe('ok')
    expect(prompts.at(-1)).not.toContain('xxx')
  })

  it('starts a new dialogue on request, with its system prompt', async () => {
    const { prompts, reply } = recordPrompts(() => 'ok')
    const { conversation } = await start({ reply }, { system: 'Be brief.' })
    await ask(conversation, 'first')
    conversation.clear()
    await ask(conversation, 'second')
    expect(prompts.at(-1)).toContain('Be brief.')
    expect(prompts.at(-1)).not.toContain('first')
  })

  it('respects the maximum lengths of answers and sessions', async () => {
    const { conversation } = await start({}, { maxNewTokens: 5 })
    const { end } = await ask(conversation, 'go on')
    expect(end).toMatchObject({ finishReason: 'length', usage: { completionTokens: 5 } })
    const short = await start({}, { maxSessionLength: 32 })
    await expect(ask(short.conversation, 'x'.repeat(40))).rejects.toThrow(ContextLengthError)
  })
})
