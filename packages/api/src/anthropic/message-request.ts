import { z } from 'zod'
import { modelField, samplingFields } from '../openai/sampling-fields.ts'
import { ignored, jsonObject, text } from '../openai/primitives.ts'
import { messageParamSchema, systemField } from './content-blocks.ts'

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,128}$/, 'Tool names are 1 to 128 letters, digits, underscores and dashes.')

const toolParam = z.strictObject({
  type: z
    .literal('custom', {
      error: (issue) =>
        `Tools of type ${JSON.stringify(issue.input)?.slice(0, 100)} run at Anthropic or are known only to its models. ` +
        'Offer a tool of your own, with an input_schema.',
    })
    .nullish(),
  name: toolName,
  description: text.nullish(),
  input_schema: jsonObject.describe('A JSON schema of an object.'),
  strict: z
    .boolean()
    .nullish()
    .describe('Forced calls always follow the schema; true: parts that can’t be enforced are refused.'),
  cache_control: ignored('A marker for Anthropic’s prompt cache.'),
  eager_input_streaming: ignored('Arguments are always sent as they are written.'),
  input_examples: ignored('Examples of arguments.'),
  defer_loading: ignored('All tools are described to the model.'),
  allowed_callers: ignored('Calls always come from the model.'),
})

const disableParallel = z
  .boolean()
  .nullish()
  .describe('True: at most one call per answer. A forced call is one in any case.')

const toolChoiceParam = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('auto'), disable_parallel_tool_use: disableParallel }),
  z.strictObject({ type: z.literal('any'), disable_parallel_tool_use: disableParallel }),
  z.strictObject({ type: z.literal('tool'), name: toolName, disable_parallel_tool_use: disableParallel }),
  z.strictObject({ type: z.literal('none') }),
])

const display = z.enum(['summarized', 'omitted']).nullish().describe('omitted: the thoughts are left out.')
const thinkingParam = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enabled'),
    budget_tokens: ignored('max_tokens limits thoughts and answer together.'),
    display,
  }),
  z.strictObject({ type: z.literal('adaptive'), display }),
  z.strictObject({ type: z.literal('between_tools'), display }),
  z.strictObject({ type: z.literal('disabled') }),
])

const outputFormat = z.strictObject({ type: z.literal('json_schema'), schema: jsonObject })

/** The fields from which the prompt is made. */
const promptFields = {
  model: modelField,
  messages: z.array(messageParamSchema).min(1).max(10_000).describe('The dialogue so far, oldest first.'),
  system: systemField,
  tools: z.array(toolParam).max(128).nullish().describe('Functions that the model may call.'),
  tool_choice: toolChoiceParam
    .nullish()
    .describe('Whether a tool is called, and which one; a grammar enforces `any` and a name. Default auto.'),
  thinking: thinkingParam
    .nullish()
    .describe(
      'Anything but disabled: a model that can think does so, and its thoughts come as a block of type thinking. If omitted: ' +
        'a model that can choose does not think, and thoughts are left out of the answer.',
    ),
  output_config: z
    .strictObject({
      effort: z.string().max(64).nullish().describe('Passed to the chat template as `reasoning_effort`.'),
      format: outputFormat.nullish().describe('The format of the answer, enforced by a grammar.'),
    })
    .nullish(),
  output_format: outputFormat.nullish().describe('An earlier place of `output_config.format`.'),
  cache_control: ignored('A marker for Anthropic’s prompt cache.'),
  context_management: ignored('What Anthropic removes from a long dialogue.'),
  speed: ignored('Anthropic’s price classes.'),
  user_profile_id: ignored('An id of the end user.'),
  workspace_id: ignored('A workspace at Anthropic.'),
}

/** Request body of `POST /v1/messages`. */
export const messageRequestSchema = z.object({
  ...promptFields,
  max_tokens: z
    .int()
    .min(1)
    .describe('Maximum number of tokens of the answer, limited by the free space of the context.'),
  temperature: samplingFields.temperature,
  top_p: samplingFields.top_p,
  top_k: z
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .meta({ default: 0 })
    .describe('Default: the model’s, else 0.'),
  stop_sequences: z
    .array(text.max(1000))
    .max(100)
    .nullish()
    .describe('Texts that end the answer; they are not part of it. Empty texts have no effect.'),
  stream: z
    .boolean()
    .nullish()
    .meta({ default: false })
    .describe('Answer with server-sent events. Default false.'),
  metadata: ignored('Notes about the end user.'),
  service_tier: ignored('Anthropic’s price classes.'),
  billing_policy: ignored('Anthropic’s price classes.'),
  fallbacks: ignored('Models that Anthropic tries after a refusal.'),
  fallback_credit_token: ignored('Anthropic’s price classes.'),
  inference_geo: ignored('Where Anthropic runs the model.'),
  diagnostics: ignored('Figures about Anthropic’s cache.'),
  container: z.null().optional().describe('Must be null: nothing is run at this server.'),
  mcp_servers: z.array(z.never()).max(0).nullish().describe('Must be empty: clients call tools themselves.'),
})

/** Request body of `POST /v1/messages/count_tokens`. */
export const countTokensRequestSchema = z.object(promptFields)

export type MessageRequest = z.output<typeof messageRequestSchema>
export type CountTokensRequest = z.output<typeof countTokensRequestSchema>
