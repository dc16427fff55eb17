import { InvalidRequestError } from '../errors.ts'
import type { Dialogue } from '../models/model-spec.ts'
import type { ChatMessage, ChatTemplate, RenderOptions, ToolDefinition } from './chat-template.ts'
import { literalMarker, markMessage, markValue } from './literal-text.ts'
import { withToolsAsText } from './tool-prompt.ts'

/** The paragraphs with which the original's page begins every dialogue (templates/index.html). */
const originalSystemPrompt =
  'A chat between a curious human and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions."
const originalGreeting = 'Hi! How can I help you?'

/**
 * Creates a template that writes dialogues as the original's page does (static/chat.js): "Human:" turns end with
 * `sepToken`, "Assistant:" turns with `stopToken`, and the last turn is left open. A dialogue without a system prompt
 * begins with the first two paragraphs of that page.
 *
 * @param controlTexts - `Tokenizer.controlTexts`: ordinary text in messages, control tokens in the config's own texts
 */
export function createDialogueTemplate(
  dialogue: Dialogue,
  controlTexts: readonly string[] = [],
): ChatTemplate {
  const mark = literalMarker(controlTexts)
  const { sepToken, stopToken, userPrefix, assistantPrefix } = dialogue
  const ends = dialogue.stopAtStopToken ? [stopToken] : []

  const paragraph = ({ role, content }: ChatMessage): string => {
    if (role === 'system') return content === '' ? '' : content + sepToken
    const prefix = role === 'assistant' ? assistantPrefix : userPrefix
    // The model itself writes the space after "Assistant:", so an answer of an earlier turn already begins with it.
    const gap = content === '' || /^\s/.test(content) ? '' : ' '
    return prefix + gap + content + (role === 'assistant' ? stopToken : sepToken)
  }

  return {
    stopSequences: [...new Set([...ends, ...dialogue.extraStopSequences])],
    writesBos: false,
    render(messages, { addGenerationPrompt = true, tools }: RenderOptions = {}) {
      const last = messages.at(-1)
      if (last === undefined)
        throw new InvalidRequestError('messages must have at least one message.', { param: 'messages' })
      const marked = messages.map((message) => markMessage(message, mark))
      const definitions = tools?.map((tool) => markValue(tool, mark) as ToolDefinition)
      const turns = withToolsAsText(withPreamble(marked, dialogue.systemPrompt), definitions)
      const text = turns.map(paragraph).join('')
      if (addGenerationPrompt) return text + assistantPrefix
      return last.role === 'assistant' ? text.slice(0, text.length - stopToken.length) : text
    },
  }
}

/** `configured` is the model's own system prompt; if it is empty, the dialogue begins without one. */
function withPreamble(
  messages: readonly ChatMessage[],
  configured: string | undefined,
): readonly ChatMessage[] {
  if (messages[0]?.role === 'system' || configured === '') return messages
  if (configured !== undefined) return [{ role: 'system', content: configured }, ...messages]
  return [
    { role: 'system', content: originalSystemPrompt },
    { role: 'assistant', content: originalGreeting },
    ...messages,
  ]
}
