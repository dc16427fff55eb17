import { InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import type { ChatMessage, ChatTemplate, RenderOptions, ToolDefinition } from './chat-template.ts'
import { parseTemplate, renderTemplate } from './jinja-interpreter.ts'
import { withToolsAsText } from './tool-prompt.ts'

export interface JinjaChatTemplateOptions {
  /** Jinja source: `chat_template` of tokenizer_config.json, or `tokenizer.chat_template` of a GGUF. */
  readonly template: string
  /** Text of the BOS token, empty if the model has none. */
  readonly bosText: string
  /** Text of the end token. */
  readonly eosText: string
  /** Texts that end an answer besides the tokenizer's end tokens (default none). */
  readonly stopSequences?: readonly string[] | undefined
}

/** A text that no message contains: marks the end of an answer to continue. From Unicode's private use area. */
const END_MARK = '\u{F8E1}\u{F8E2}\u{F8E3}'

/**
 * The chat template that a model brings along, in Jinja as `transformers` runs it.
 * @throws ModelUnavailableError if the template is no Jinja.
 */
export function createJinjaChatTemplate(options: JinjaChatTemplateOptions): ChatTemplate {
  const program = parse(options.template)
  const knowsTools = /\btools\b/.test(options.template)
  const variables = { bos_token: options.bosText, eos_token: options.eosText, documents: null }

  const run = (
    messages: readonly ChatMessage[],
    { tools, variables: ofRequest }: RenderOptions,
    prompt: boolean,
  ) =>
    renderTemplate(program, {
      ...ofRequest,
      ...variables,
      messages: (knowsTools ? messages : withToolsAsText(messages, tools)).map(toJinjaMessage),
      tools: knowsTools && tools?.length ? tools.map(toJinjaTool) : null,
      add_generation_prompt: prompt,
    })

  return {
    stopSequences: options.stopSequences ?? [],
    writesBos: writesBos(options, (messages) => run(messages, {}, true)),
    render(messages, options: RenderOptions = {}) {
      const { addGenerationPrompt = true } = options
      const last = messages.at(-1)
      if (last === undefined)
        throw new InvalidRequestError('messages must have at least one message.', { param: 'messages' })
      if (addGenerationPrompt || last.role !== 'assistant') return run(messages, options, addGenerationPrompt)
      const marked = [...messages.slice(0, -1), { ...last, content: last.content + END_MARK }]
      return cutAtMark(run(marked, options, false))
    },
  }
}

function parse(template: string) {
  try {
    return parseTemplate(template)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ModelUnavailableError(
      `The model's chat template can't be read: ${reason}. Take a newer file of the model, or give it a dialogue format in the config.`,
      { cause },
    )
  }
}

/** Leaves out the end of the turn, so that the model goes on with the answer. */
function cutAtMark(rendered: string): string {
  const end = rendered.lastIndexOf(END_MARK)
  if (end !== -1) return rendered.slice(0, end)
  throw new InvalidRequestError("The model's chat template does not let the last answer be continued.", {
    param: 'messages',
  })
}

function writesBos(
  { bosText, template }: JinjaChatTemplateOptions,
  render: (messages: ChatMessage[]) => string,
): boolean {
  if (bosText === '') return false
  try {
    return render([{ role: 'user', content: 'Hi' }]).startsWith(bosText)
  } catch {
    return /\bbos_token\b/.test(template)
  }
}

/** The message in the shape that `transformers` hands to templates. */
function toJinjaMessage({ role, content, name, toolCallId, toolCalls }: ChatMessage): object {
  return {
    role,
    content,
    ...(name !== undefined && { name }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolCalls?.length && {
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: parsedArguments(call.arguments) },
      })),
    }),
  }
}

/** Templates expect an object; what a model wrote may be anything. */
function parsedArguments(text: string): unknown {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return text
  }
}

function toJinjaTool({ name, description, parameters }: ToolDefinition): object {
  return {
    type: 'function',
    function: {
      name,
      description: description ?? '',
      parameters: parameters ?? { type: 'object', properties: {} },
    },
  }
}
