import type { RequestMessage } from '@petals-chat/api'
import { ContextLengthError } from '@petals-chat/engine'

/** What stands in the place of the rest of a result. */
export const LEFT_OUT = '[The rest is left out: the context is too short for it.]'

/** Results are not cut below this many characters, unless nothing of them fits. */
const LEAST = 200

/**
 * Prepares an answer to messages with results of tools. Where the context is too short for them, the longest are cut, by half
 * and half again.
 * @throws ContextLengthError if they do not even fit with `LEFT_OUT` as their results
 */
export async function fitResults<Job>(
  messages: readonly RequestMessage[],
  prepare: (messages: readonly RequestMessage[]) => Promise<Job>,
): Promise<Job> {
  let length = Math.max(0, ...messages.map(resultLength))
  for (;;) {
    try {
      return await prepare(messages.map((message) => shortened(message, length)))
    } catch (error) {
      if (!(error instanceof ContextLengthError) || length === 0) throw error
      length = length <= LEAST ? 0 : Math.max(LEAST, Math.floor(length / 2))
    }
  }
}

const resultOf = ({ role, content }: RequestMessage): string | undefined =>
  role === 'tool' && typeof content === 'string' ? content : undefined

const resultLength = (message: RequestMessage): number => resultOf(message)?.length ?? 0

function shortened(message: RequestMessage, length: number): RequestMessage {
  const result = resultOf(message)
  if (result === undefined || result.length <= length) return message
  const content = length === 0 ? LEFT_OUT : `${result.slice(0, length).toWellFormed()}\n${LEFT_OUT}`
  return { ...message, content } as RequestMessage
}
