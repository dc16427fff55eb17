import { never, type UnsupportedParameters } from '../../generation/request/unsupported.ts'

/** Fields that would change the answer and can't be honoured; `n` and the like are OpenAI's. */
export const unsupportedMessageParameters: UnsupportedParameters = {
  max_tokens_to_sample: never('Use max_tokens.'),
  prompt: never('Put the text into messages.'),
  n: never('Send the request again for another answer.', 1),
  stop: never('Use stop_sequences.', []),
  thread: never('Send the whole dialogue in messages: this server keeps none.'),
  compaction: never('Shorten messages in the client.'),
  response_format: never('Use output_config.format.', { type: 'text' }),
}
