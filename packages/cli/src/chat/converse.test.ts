import { greedy, modelSpecSchema, ModelUnavailableError } from '@petals-chat/engine'
import { ScriptedEngine, type ScriptedEngineOptions } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { Conversation } from './conversation.ts'
import { converse } from './converse.ts'
import type { PromptResult } from './prompt-line.ts'

const type = (text: string): PromptResult => ({ type: 'message', text })
const interrupt: PromptResult = { type: 'interrupt' }

/** Types the inputs one after another, and then ends the input. */
async function run(inputs: readonly PromptResult[], options: ScriptedEngineOptions) {
  const model = await new ScriptedEngine(options).load(
    modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }),
  )
  await using conversation = new Conversation(model, { sampling: greedy, maxNewTokens: 20 })
  const { terminal, stdout, screen } = recordingTerminal()
  const listeners = new Set<() => void>()
  const left = [...inputs]
  const code = await converse(conversation, {
    terminal,
    read: async () => left.shift() ?? { type: 'end' },
    onInterrupt: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
  })
  return { code, stdout: stdout(), screen: screen(), unread: left.length, listeners }
}

describe('converse', () => {
  it('answers until the input ends', async () => {
    const { code, stdout, listeners } = await run([type('hello'), type(''), type('more')], {
      reply: () => 'Hi there.',
    })
    expect(code).toBe(0)
    expect(stdout.match(/Hi there\.\n\(\d+ tokens, \d/g)).toHaveLength(2)
    expect(listeners.size).toBe(0)
  })

  it('stops an answer at the first Ctrl+C, and exits at the second', async () => {
    let press = () => {}
    const model = await new ScriptedEngine({
      beforeStep: ({ step }) => (step === 3 ? press() : undefined),
    }).load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
    await using conversation = new Conversation(model, { sampling: greedy, maxNewTokens: 500 })
    const { terminal, stdout } = recordingTerminal()
    const left = [type('go on'), interrupt, type('never read')]
    const code = await converse(conversation, {
      terminal,
      read: async () => left.shift()!,
      onInterrupt: (listener) => ((press = listener), () => {}),
    })
    expect(code).toBe(0)
    expect(stdout()).toContain('(stopped)')
    expect(left).toHaveLength(1)
  })

  it('shows what an answer waits for', async () => {
    const model = await new ScriptedEngine({ reply: () => 'Hi there.' }).load(
      modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }),
    )
    const open = model.openSession.bind(model)
    model.openSession = async (options) => {
      const session = await open(options)
      const generate = session.generate.bind(session)
      session.generate = async function* (tokens, given) {
        given.onWait?.({ blocks: [{ start: 12, end: 24 }], since: 0, until: 1000 })
        given.onWait?.(undefined)
        yield* generate(tokens, given)
      }
      return session
    }
    await using conversation = new Conversation(model, { sampling: greedy, maxNewTokens: 20 })
    const { terminal, screen } = recordingTerminal()
    const left = [type('hello')]
    const read = async (): Promise<PromptResult> => left.shift() ?? { type: 'end' }
    await converse(conversation, { terminal, read, onInterrupt: () => () => {} })
    expect(screen()).toMatch(/\(waiting for a server of blocks 12-23, until .* at the latest\)[^]*Hi there\./)
  })

  it('asks for confirmation before it exits at a prompt', async () => {
    const { stdout, unread } = await run(
      [interrupt, type('hello'), interrupt, interrupt, type('never read')],
      { reply: () => 'Hi.' },
    )
    expect(stdout.match(/Press Ctrl\+C again/g)).toHaveLength(2)
    expect(stdout).toContain('Hi.')
    expect(unread).toBe(1)
  })

  it('runs its commands', async () => {
    const { stdout, unread } = await run(
      [type('/help'), type('/new'), type('/nonsense'), type('/exit'), type('never read')],
      {},
    )
    expect(stdout).toContain('/new     start')
    expect(stdout).toContain('New dialogue.')
    expect(stdout).toContain('There is no command /nonsense')
    expect(unread).toBe(1)
  })

  it('continues after a failed answer', async () => {
    let steps = 0
    const beforeStep = () => {
      if (steps++ === 0) throw new ModelUnavailableError('The engine was restarted. Try again.')
    }
    const { screen, code } = await run([type('one'), type('two')], { beforeStep, reply: () => 'Two.' })
    expect(screen).toContain('The engine was restarted. Try again.')
    expect(screen).toContain('Two.')
    expect(code).toBe(0)
  })
})
