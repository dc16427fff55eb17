import type { ChatRequest } from '@petals-chat/api'
import {
  type ChatMessage,
  InvalidRequestError,
  literalMarker,
  type Model,
  type ModelSpec,
  type TokenId,
} from '@petals-chat/engine'
import type { GatewayContext } from '../../context.ts'
import type { ChatJob } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import {
  answerLength,
  askedLength,
  checkRequestTokens,
  checkTokens,
} from '../../generation/request/limits.ts'

/** Stands for the earlier answer while the turn after it is rendered. No template writes it. */
const EARLIER_ANSWER = 'an-earlier-answer-7c1f0d52'

/**
 * Prepares the answer to a message that goes on with a dialogue, of which the client has only the tokens: they are followed by
 * what the model's template writes between an answer and the next one.
 */
export async function prepareInContext(
  context: Pick<GatewayContext, 'registry' | 'version' | 'config'>,
  spec: ModelSpec,
  request: ChatRequest,
  earlier: readonly TokenId[],
  signal: AbortSignal,
): Promise<ChatJob> {
  const job = await prepareChat(context, spec, request, signal)
  if (earlier.length === 0) return job
  const { work } = job
  if (work.kind !== 'sessions') throw noContext(spec)
  const { model } = work
  checkTokens(earlier, model.tokenizer.vocabSize, 'context')
  const tokens = [...earlier, ...model.tokenizer.encode(nextTurn(model, request))]
  const budget = { promptTokens: tokens.length, requested: askedLength(request) }
  const prompts = [{ tokens, promptTokens: tokens.length, maxNewTokens: answerLength(model, spec, budget) }]
  checkRequestTokens({ param: 'context', prompts, choices: 1 }, model, context.config)
  return { ...job, prompts, work: { ...work, prompts } }
}

/**
 * The text from the end of an answer to the begin of the next one, with the request's messages between them. Where the template
 * takes no system message in mid-dialogue, its words are put before the user's.
 */
function nextTurn(model: Pick<Model, 'chatTemplate'>, request: ChatRequest): string {
  const variables = request.chat_template_kwargs ?? undefined
  const turn = request.messages as readonly ChatMessage[]
  const [system, user] = turn.map(({ content }) => content)
  if (user === undefined) return renderedTurn(model, turn, variables)
  const text = attempt(() => renderedTurn(model, turn, variables))
  if (text?.includes(system!.trim())) return text
  return renderedTurn(model, [{ role: 'user', content: `${system}\n\n${user}` }], variables)
}

function renderedTurn(
  { chatTemplate }: Pick<Model, 'chatTemplate'>,
  turn: readonly ChatMessage[],
  variables: ChatRequest['chat_template_kwargs'],
): string {
  const options = { variables: variables ?? undefined }
  const rendered = chatTemplate.render(
    [{ role: 'user', content: '.' }, { role: 'assistant', content: EARLIER_ANSWER }, ...turn],
    options,
  )
  const place = rendered.indexOf(EARLIER_ANSWER)
  // A template that leaves earlier answers out says nothing of what follows them.
  if (place === -1) return chatTemplate.render(turn, options)
  return rendered.slice(place + EARLIER_ANSWER.length)
}

/** The text; undefined if the template refuses the messages. */
function attempt(render: () => string): string | undefined {
  try {
    return render()
  } catch (error) {
    if (error instanceof InvalidRequestError) return undefined
    throw error
  }
}

/** The tokens of a dialogue after its answer; none if another server has them. */
export function contextAfter(
  { work, reader }: ChatJob,
  { thoughts, words }: { readonly thoughts: string; readonly words: string },
): readonly TokenId[] {
  if (work.kind !== 'sessions') return []
  const { tokenizer } = work.model
  const mark = literalMarker(tokenizer.controlTexts)
  const begun = reader.reasoning === 'open' ? '' : '<think>'
  const text = `${thoughts === '' ? '' : `${begun}${mark(thoughts)}</think>`}${mark(words)}`
  return [...work.prompts[0]!.tokens, ...tokenizer.encode(text)]
}

const noContext = ({ id }: ModelSpec): InvalidRequestError =>
  new InvalidRequestError(
    `'context' is not supported with the model '${id}', which another server runs. Use /api/chat, with all messages.`,
    { param: 'context', reason: 'unsupported_parameter' },
  )
