import { never, type UnsupportedParameters } from '../../generation/request/unsupported.ts'

const template = never('The model has its own template. Use raw, with a prompt that has it already.', '')

/** Fields of `POST /api/chat` that would change the answer and can't be honoured. */
export const unsupportedOllamaChatParameters: UnsupportedParameters = {
  prompt: never('Use /api/generate, or put the text into messages.', ''),
  system: never('Begin messages with one of the role system.', ''),
  template,
}

/** Fields of `POST /api/generate` that would change the answer and can't be honoured. */
export const unsupportedOllamaGenerateParameters: UnsupportedParameters = {
  suffix: never('Models of this server only continue a text. Put the text before it into prompt.', ''),
  template,
  messages: never('Use /api/chat.', []),
  tools: never('Use /api/chat.', []),
  width: never('Models of this server write only text.', 0),
  height: never('Models of this server write only text.', 0),
  steps: never('Models of this server write only text.', 0),
}
