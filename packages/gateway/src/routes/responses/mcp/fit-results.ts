import type { RequestMessage } from '@petals-chat/api'
import { ContextLengthError } from '@petals-chat/engine'

/** Results are not cut below this many characters. */
const LEAST = 200

/**
 * Prepares an answer to messages with results of tools. Where the context is too short for them, the longest are cut, by half
 * and half again.
 * @throws ContextLengthError if not even short results fit
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
      if (!(error instanceof ContextLengthError) || length <= LEAST) throw error
      length = Math.max(LEAST, Math.floor(length / 2))
    }
  }
}

const resultOf = ({ role, content }: RequestMessage): string | undefined =>
  role === 'tool' && typeof content === 'string' ? content : undefined

const resultLength = (message: RequestMessage): number => resultOf(message)?.length ?? 0

function shortened(message: RequestMessage, length: number): RequestMessage {
  const result = resultOf(message)
  if (result === undefined || result.length <= length) return message
  const content = `${result.slice(0, length).toWellFormed()}\n[The rest is left out: the context is too short for it.]`
  return { ...message, content } as RequestMessage
}
