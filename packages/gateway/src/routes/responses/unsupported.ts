import { never, type UnsupportedParameters } from '../../generation/request/unsupported.ts'

/** Fields that would change the answer or what becomes of it, and can't be honoured; `n` and the like are of chat completions. */
export const unsupportedResponseParameters: UnsupportedParameters = {
  conversation: never('Use previous_response_id, or send the dialogue as input.'),
  prompt: never('Prompts stored at OpenAI can’t be read: put the text into instructions and input.'),
  context_management: never('Use truncation "auto", or shorten the input.', []),
  moderation: never('Check inputs and answers in the client.'),
  messages: never('Use input, or /v1/chat/completions.'),
  max_tokens: never('Use max_output_tokens.'),
  max_completion_tokens: never('Use max_output_tokens.'),
  response_format: never('Use text.format.', { type: 'text' }),
  reasoning_effort: never('Use reasoning.effort.'),
  n: never('Send the request again for another answer.', 1),
  stop: never('Use /v1/chat/completions.', []),
  logprobs: never('Use include: ["message.output_text.logprobs"].', false),
}
