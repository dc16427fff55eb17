import type { ChatFinishReason, PetalsBody } from '@petals-chat/api'
import { type GeneratedToken, withWaits } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { RouteReceipt } from '../../../swarm/route-receipt.ts'
import { waitNotice, type WaitNotice } from '../../../swarm/wait-notice.ts'
import { generateChoices } from '../generate-choices.ts'
import { inWordsOfRequest } from '../request/grammar-error.ts'
import { ChatAnswerReader } from '../response/chat-answer-reader.ts'
import type { ChatPart } from '../response/chat-part.ts'
import type { ChoiceCost } from '../response/usage.ts'
import type { RunOptions } from '../run-options.ts'
import type { ChatJob } from './prepare-chat.ts'

export type ChatEvent =
  | {
      readonly type: 'delta'
      readonly choice: number
      readonly parts: readonly ChatPart[]
      readonly tokens: readonly GeneratedToken[]
      readonly petals?: PetalsBody | undefined
    }
  | {
      readonly type: 'end'
      readonly choice: number
      readonly finishReason: ChatFinishReason
      readonly cost: ChoiceCost
      readonly petals?: PetalsBody | undefined
    }
  | ({ readonly type: 'wait' } & WaitNotice)

/** Runs a job on a session of the pool: the pieces of its choices, one choice after the other. */
export async function* runChat(
  context: Pick<GatewayContext, 'sessions'>,
  job: ChatJob,
  options: RunOptions,
): AsyncGenerator<ChatEvent, void, undefined> {
  try {
    yield* runChoices(context, job, options)
  } catch (error) {
    throw inWordsOfRequest(error, job.grammarParam)
  }
}

async function* runChoices(
  { sessions }: Pick<GatewayContext, 'sessions'>,
  { model, text, choices, reader }: ChatJob,
  { logger, wantsRoute }: RunOptions,
): AsyncGenerator<ChatEvent, void, undefined> {
  const { tokens, maxNewTokens, signal } = text
  await using lease = await sessions.acquire(model, {
    tokens,
    maxLength: tokens.length + maxNewTokens,
    signal,
    logger,
  })
  const receipt = new RouteReceipt(lease.session, wantsRoute)
  let answer = new ChatAnswerReader(reader)
  let hasCalls = false

  const answers = withWaits({ signal }, (options) =>
    generateChoices(model, lease.session, { ...text, ...options }, choices),
  )
  for await (const item of answers) {
    if ('wait' in item) {
      yield { type: 'wait', ...waitNotice(item.wait, wantsRoute) }
      continue
    }
    const { choice, event } = item
    const isEnd = event.type === 'generation-end'
    const parts = isEnd ? answer.finish() : answer.push(event.text)
    const tokens = isEnd ? [] : event.tokens
    hasCalls ||= parts.some(({ type }) => type === 'tool-call')
    if (parts.length > 0 || tokens.length > 0) {
      yield { type: 'delta', choice, parts, tokens, petals: receipt.changed() }
    }
    if (!isEnd) continue
    const finishReason = hasCalls && event.finishReason === 'stop' ? 'tool_calls' : event.finishReason
    const cost = { ...event, queuedMs: lease.queuedMs }
    yield { type: 'end', choice, finishReason, cost, petals: receipt.final() }
    answer = new ChatAnswerReader(reader)
    hasCalls = false
  }
}
