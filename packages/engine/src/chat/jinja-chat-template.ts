import { InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import type { ChatMessage, ChatTemplate, RenderOptions } from './chat-template.ts'
import { parseTemplate, renderTemplate, type Program } from './jinja-interpreter.ts'
import { toJinjaMessage, toJinjaTool } from './jinja-messages.ts'
import { withSystemInUserTurn } from './system-prompt.ts'
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
  /** For dialogues without a system message of their own, in place of what the template says then (default none). */
  readonly systemPrompt?: string | undefined
}

type Run = (messages: readonly ChatMessage[], options: RenderOptions) => string

/** A text that no message contains: marks the end of an answer to continue. From Unicode's private use area. */
const END_MARK = '\u{F8E1}\u{F8E2}\u{F8E3}'

/**
 * The chat template that a model brings along, in Jinja as `transformers` runs it. What the template does not know is put
 * into words that it knows: tools, and (as llama.cpp does it) a system prompt.
 * @throws ModelUnavailableError if the template is no Jinja.
 */
export function createJinjaChatTemplate(options: JinjaChatTemplateOptions): ChatTemplate {
  const { template, bosText, eosText, stopSequences = [], systemPrompt } = options
  const program = parse(template)
  const knowsTools = /\btools\b/.test(template)
  const renderAsGiven: Run = (messages, { addGenerationPrompt = true, tools, variables }) =>
    renderTemplate(program, {
      ...variables,
      bos_token: bosText,
      eos_token: eosText,
      documents: null,
      messages: messages.map(toJinjaMessage),
      tools: tools?.length ? tools.map(toJinjaTool) : null,
      add_generation_prompt: addGenerationPrompt,
    })
  const knowsSystem = rendersSystem(renderAsGiven)

  const run: Run = (given, options) => {
    const messages = withDefaultSystemPrompt(given, systemPrompt)
    const turns = knowsTools ? messages : withToolsAsText(messages, options.tools)
    const tools = knowsTools ? options.tools : undefined
    return renderAsGiven(knowsSystem ? turns : withSystemInUserTurn(turns), { ...options, tools })
  }

  return {
    stopSequences,
    writesBos:
      bosText !== '' &&
      (attempt(renderAsGiven, ['user'])?.startsWith(bosText) ?? template.includes('bos_token')),
    render(messages, options: RenderOptions = {}) {
      const last = messages.at(-1)
      if (last === undefined) {
        throw new InvalidRequestError('messages must have at least one message.', { param: 'messages' })
      }
      if (options.addGenerationPrompt !== false || last.role !== 'assistant') return run(messages, options)
      const marked = [...messages.slice(0, -1), { ...last, content: last.content + END_MARK }]
      return cutAtMark(run(marked, options))
    },
  }
}

function parse(template: string): Program {
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

function withDefaultSystemPrompt(
  messages: readonly ChatMessage[],
  prompt: string | undefined,
): readonly ChatMessage[] {
  if (!prompt || messages[0]?.role === 'system') return messages
  return [{ role: 'system', content: prompt }, ...messages]
}

/** Leaves out the end of the turn, so that the model goes on with the answer. */
function cutAtMark(rendered: string): string {
  const end = rendered.lastIndexOf(END_MARK)
  if (end !== -1) return rendered.slice(0, end)
  throw new InvalidRequestError("The model's chat template does not let the last answer be continued.", {
    param: 'messages',
  })
}

/** A rendering of messages that say their role, or undefined if the template refuses them. */
function attempt(render: Run, roles: readonly ChatMessage['role'][]): string | undefined {
  try {
    const messages = roles.map((role) => ({ role, content: `<${role}>` }))
    return render(messages, {})
  } catch {
    return undefined
  }
}

/** Some templates refuse system messages (Gemma's), others leave them out without a word. */
function rendersSystem(render: Run): boolean {
  return (
    attempt(render, ['user']) === undefined ||
    attempt(render, ['system', 'user'])?.includes('<system>') === true
  )
}
