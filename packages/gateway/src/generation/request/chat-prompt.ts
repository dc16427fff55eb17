import type { ChatRequest, MessageContent, RequestMessage } from '@petals-chat/api'
import {
  type ChatMessage,
  type ChatTemplate,
  InvalidRequestError,
  type Model,
  type TokenId,
  type ToolDefinition,
} from '@petals-chat/engine'
import { assertMayFit } from './prompt-length.ts'
import { checkJson } from './json-bounds.ts'

export type PromptRequest = Pick<
  ChatRequest,
  'messages' | 'add_generation_prompt' | 'continue_final_message'
> &
  Partial<Pick<ChatRequest, 'chat_template_kwargs' | 'reasoning_effort'>>

export interface ChatPrompt {
  readonly tokens: TokenId[]
  /** The prompt ends with `<think>`: the answer begins in the middle of the thoughts. */
  readonly opensReasoning: boolean
}

/** Renders a dialogue to the tokens that the model continues. @throws InvalidRequestError if its template refuses the messages. */
export function chatPrompt(
  model: Pick<Model, 'chatTemplate' | 'tokenizer' | 'contextLength'>,
  request: PromptRequest,
  tools: readonly ToolDefinition[] | undefined,
): ChatPrompt {
  const { chatTemplate, tokenizer } = model
  const text = renderDialogue(chatTemplate, request, tools)
  assertMayFit(text, model)
  return {
    tokens: tokenizer.encode(text, { addSpecialTokens: !chatTemplate.writesBos }),
    opensReasoning: /<think>\s*$/.test(text),
  }
}

function renderDialogue(
  chatTemplate: ChatTemplate,
  request: PromptRequest,
  tools: readonly ToolDefinition[] | undefined,
): string {
  const messages = request.messages.map(toChatMessage)
  const options = { tools, variables: templateVariables(request) }
  const openTurn = () =>
    chatTemplate.render(messages, {
      ...options,
      addGenerationPrompt: request.add_generation_prompt !== false,
    })
  if (asksToContinue(request))
    return chatTemplate.render(messages, { ...options, addGenerationPrompt: false })
  if (!mayContinue(request)) return openTurn()
  try {
    return chatTemplate.render(messages, { ...options, addGenerationPrompt: false })
  } catch {
    // The request did not ask to continue. If the template can't, open a turn, or let the template report what is wrong.
    return openTurn()
  }
}

/**
 * Reports whether the dialogue ends with an answer, and the request does not say what to do with it. Such an answer is
 * continued, as llama-server and Anthropic's Messages API do: a model that has to reply to itself mostly writes nothing.
 */
function mayContinue({ messages, continue_final_message: asked, ...request }: PromptRequest): boolean {
  const last = messages.at(-1)
  if (last?.role !== 'assistant' || asked === false || request.add_generation_prompt === true) return false
  return !last.tool_calls?.length && toText(last.content).trim() !== ''
}

/** @throws InvalidRequestError if the last message is not an answer that can be continued. */
export function asksToContinue({ messages, continue_final_message: asked }: PromptRequest): boolean {
  const last = messages.at(-1)
  if (last?.role === 'assistant') {
    if (!asked && !last.prefix) return false
    if (!last.tool_calls?.length) return true
  } else if (!asked) return false
  throw new InvalidRequestError(
    `'continue_final_message' requires a last message of the role "assistant" without tool_calls.`,
    { param: 'continue_final_message', reason: 'invalid_value' },
  )
}

function templateVariables({ chat_template_kwargs: variables, reasoning_effort: effort }: PromptRequest) {
  checkJson(variables, 'chat_template_kwargs')
  return effort == null ? (variables ?? undefined) : { reasoning_effort: effort, ...variables }
}

/** @throws InvalidRequestError for an answer that says nothing and calls nothing */
export function toChatMessage(message: RequestMessage, index: number): ChatMessage {
  const { role, name } = message
  const content = toText(message.content)
  switch (role) {
    case 'assistant':
      if (message.content == null && !message.tool_calls?.length) throw emptyAnswer(index)
      return {
        role,
        content,
        name: name ?? undefined,
        toolCalls: message.tool_calls?.map((call) => ({ id: call.id, ...call.function })),
      }
    case 'tool':
      return { role, content, name: name ?? undefined, toolCallId: message.tool_call_id }
    default:
      return { role: role === 'developer' ? 'system' : role, content, name: name ?? undefined }
  }
}

const toText = (content: MessageContent | null | undefined): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join('')

function emptyAnswer(index: number): InvalidRequestError {
  const param = `messages[${index}].content`
  return new InvalidRequestError(`'${param}' may be omitted only where the message has 'tool_calls'.`, {
    param,
    reason: 'missing_required_parameter',
  })
}
