import type { RequestMessage } from '@petals-chat/api'
import { ContextLengthError } from '@petals-chat/engine'
import type { ChatJob } from '../../generation/chat/chat-choice-reader.ts'

type Prepare = (messages: RequestMessage[]) => Promise<ChatJob>

/** The share of the context that a shortened dialogue leaves for the answer, unless the request asks for less. */
const ROOM_SHARE = 1 / 4

/**
 * Prepares an answer to as many of the newest messages as leave room for it. Whole turns are left out, oldest first; the system
 * messages before them stay.
 * @param asked the greatest length of the answer, in tokens
 * @throws ContextLengthError if not even the last turn fits
 */
export async function prepareShortened(
  messages: RequestMessage[],
  asked: number | null | undefined,
  prepare: Prepare,
): Promise<ChatJob> {
  const cuts = turnsOf(messages)
  const attempt = (cut: number) =>
    prepare(messages.filter((_message, index) => index >= cuts[cut]!.from || index < cuts[0]!.from))
  const fitting = async (cut: number): Promise<ChatJob | undefined> => {
    try {
      const job = await attempt(cut)
      const wanted = Math.min(asked ?? Infinity, Math.floor((job.work.model.contextLength ?? 0) * ROOM_SHARE))
      return job.prompts[0]!.maxNewTokens >= wanted ? job : undefined
    } catch (error) {
      if (error instanceof ContextLengthError) return undefined
      throw error
    }
  }
  const whole = await fitting(0)
  if (whole !== undefined || cuts.length === 1) return whole ?? (await attempt(0))
  let best: ChatJob | undefined
  let [low, high] = [1, cuts.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const job = await fitting(middle)
    if (job === undefined) low = middle + 1
    else [best, high] = [job, middle - 1]
  }
  return best ?? (await attempt(cuts.length - 1))
}

/** Where the turns of users begin, after the system messages at the beginning. */
function turnsOf(messages: readonly RequestMessage[]): readonly { readonly from: number }[] {
  const first = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer')
  const begins = messages.flatMap(({ role }, index) =>
    role === 'user' && index > first ? [{ from: index }] : [],
  )
  return [{ from: Math.max(first, 0) }, ...begins]
}
