import { createInterface } from 'node:readline'

/** The result of a prompt: a message, Ctrl+C, or the end of the input (Ctrl+D). */
export type PromptResult =
  | { readonly type: 'message'; readonly text: string }
  | { readonly type: 'interrupt' }
  | { readonly type: 'end' }

/** Prompts for the next message. */
export type ReadPrompt = (prompt: string) => Promise<PromptResult>

/** Opens and closes a message of several lines, as in other terminal chats. */
const fence = '"""'

/**
 * Reads what a person types, with history and editing keys. Between messages the terminal is left in its usual mode, so
 * that Ctrl+C arrives as a signal while an answer streams in.
 */
export function createPromptLine(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): ReadPrompt {
  let history: string[] = []

  const readLine = (prompt: string): Promise<PromptResult> =>
    new Promise((resolve) => {
      const readline = createInterface({
        input,
        output,
        terminal: true,
        history,
        removeHistoryDuplicates: true,
      })
      readline.on('history', (lines) => {
        history = lines
      })
      let isAnswered = false
      const finish = (result: PromptResult) => {
        if (isAnswered) return
        isAnswered = true
        // Ends the line of the prompt, so that later output starts on a new line.
        if (result.type !== 'message') output.write('\n')
        readline.close()
        resolve(result)
      }
      readline.once('SIGINT', () => finish({ type: 'interrupt' }))
      readline.once('close', () => finish({ type: 'end' }))
      readline.question(prompt, (text) => finish({ type: 'message', text }))
    })

  return async (prompt) => {
    const first = await readLine(prompt)
    if (first.type !== 'message' || !first.text.startsWith(fence)) return first
    let text = first.text.slice(fence.length)
    while (!text.endsWith(fence)) {
      const next = await readLine('… ')
      if (next.type !== 'message') return next
      text += `\n${next.text}`
    }
    return { type: 'message', text: text.slice(0, -fence.length).trim() }
  }
}
