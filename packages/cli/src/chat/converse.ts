import { EngineError, type GenerationEndEvent } from '@petals-chat/engine'
import { exitCodes } from '../exit-codes.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Conversation } from './conversation.ts'
import type { ReadPrompt } from './prompt-line.ts'
import { waitNotes } from './wait-notes.ts'

export interface ConverseOptions {
  readonly terminal: Terminal
  readonly read: ReadPrompt
  /** Calls `listener` on Ctrl+C until the returned function is called. */
  readonly onInterrupt: (listener: () => void) => () => void
}

const help = `/new     start a new dialogue
/exit    exit (also Ctrl+D, or Ctrl+C twice)
/help    show this list
Ctrl+C   stop the answer
"""      begins and ends a message of several lines`

/** Runs the dialogue in the terminal until the user exits. Resolves to the exit code. */
export async function converse(conversation: Conversation, options: ConverseOptions): Promise<number> {
  const { terminal, read } = options
  let isInterrupted = false
  while (true) {
    const input = await read(terminal.style('bold', '> '))
    if (input.type === 'end') return exitCodes.ok
    if (input.type === 'interrupt') {
      if (isInterrupted) return exitCodes.ok
      isInterrupted = true
      terminal.out(terminal.style('dim', 'Press Ctrl+C again to exit.'))
      continue
    }
    isInterrupted = false
    const text = input.text.trim()
    if (text === '/exit' || text === '/quit') return exitCodes.ok
    if (text.startsWith('/')) runSlashCommand(text, conversation, terminal)
    else if (text !== '') isInterrupted = await showAnswer(conversation, text, options)
  }
}

function runSlashCommand(command: string, conversation: Conversation, terminal: Terminal): void {
  switch (command) {
    case '/new':
    case '/clear':
      conversation.clear()
      terminal.out(terminal.style('dim', 'New dialogue.'))
      return
    case '/help':
    case '/?':
      terminal.out(help)
      return
    default:
      terminal.out(`There is no command ${command}.\n${help}`)
  }
}

/** Streams an answer. Resolves to true if the user stopped it. */
async function showAnswer(
  conversation: Conversation,
  text: string,
  { terminal, onInterrupt }: ConverseOptions,
): Promise<boolean> {
  const stopping = new AbortController()
  const stopListening = onInterrupt(() => stopping.abort())
  try {
    const answer = conversation.answer(text, { signal: stopping.signal, onWait: waitNotes(terminal) })
    let step = await answer.next()
    for (; !step.done; step = await answer.next()) terminal.write(step.value)
    terminal.out()
    terminal.out(terminal.style('dim', step.value === undefined ? '(stopped)' : describeEnd(step.value)))
  } catch (error) {
    // The dialogue can go on: the message that failed is not part of it.
    if (!(error instanceof EngineError)) throw error
    terminal.out()
    terminal.note(terminal.style('red', error.message))
  } finally {
    stopListening()
  }
  return stopping.signal.aborted
}

function describeEnd({ finishReason, usage, timings }: GenerationEndEvent): string {
  const speed = (usage.completionTokens - 1) / (timings.decodeMs / 1000)
  const cut = finishReason === 'length' ? ', truncated at the maximum length' : ''
  return `(${usage.completionTokens} tokens${Number.isFinite(speed) ? `, ${speed.toFixed(1)} tokens/s` : ''}${cut})`
}
