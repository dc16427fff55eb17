import { InvalidRequestError, ModelUnavailableError } from '../errors.ts'
import type { ChatMessage, ChatTemplate, RenderOptions, ToolDefinition } from './chat-template.ts'
import { isRefusal, parseTemplate, renderTemplate, type Program } from './jinja-interpreter.ts'
import { toJinjaMessage, toJinjaTool } from './jinja-messages.ts'
import { literalMarker, markMessage, markValue } from './literal-text.ts'
import { withToolsAsText } from './tool-prompt.ts'
import { withAlternatingTurns, withSystemFirst, withSystemInUserTurn } from './turn-order.ts'

export interface JinjaChatTemplateOptions {
  /** Jinja source: `chat_template` of tokenizer_config.json, or `tokenizer.chat_template` of a GGUF. */
  readonly template: string
  /** Text of the BOS token, empty if the model has none. */
  readonly bosText: string
  /** Text of the end token. */
  readonly eosText: string
  /** `Tokenizer.controlTexts`: they stay ordinary text in messages and tools (default none). */
  readonly controlTexts?: readonly string[] | undefined
  /** Texts that end an answer besides the tokenizer's end tokens (default none). */
  readonly stopSequences?: readonly string[] | undefined
  /** System prompt of dialogues that have none; it replaces the template's own default (default none). */
  readonly systemPrompt?: string | undefined
}

type Run = (messages: readonly ChatMessage[], options: RenderOptions) => string

/** Marks the end of an answer to continue. No message contains this text: it is from Unicode's private use area. */
const END_MARK = '\u{F8E1}\u{F8E2}\u{F8E3}'

/**
 * Creates the chat template that comes with a model: Jinja, run as `transformers` runs it. What the template does not
 * support becomes text of ordinary turns: tools, and (as in llama.cpp) a system prompt.
 * @throws ModelUnavailableError if the template is not valid Jinja
 */
export function createJinjaChatTemplate(options: JinjaChatTemplateOptions): ChatTemplate {
  const { template, bosText, eosText, stopSequences = [], systemPrompt, controlTexts = [] } = options
  const mark = literalMarker(controlTexts)
  const program = parse(template)
  const supportsTools = /\btools\b/.test(template)
  const renderAsGiven: Run = (messages, { addGenerationPrompt = true, tools, variables }) =>
    renderTemplate(program, {
      ...variables,
      bos_token: bosText,
      eos_token: eosText,
      documents: null,
      messages: messages.map((message) => toJinjaMessage(message, mark)),
      tools: tools?.length ? tools.map(toJinjaTool) : null,
      add_generation_prompt: addGenerationPrompt,
    })
  const { writesBos, supportsSystem, dropsLateSystem } = traitsOf(renderAsGiven, template, bosText)

  const run: Run = (given, { tools: definitions, variables, ...options }) => {
    const messages = withDefaultSystemPrompt(given, systemPrompt).map((message) => markMessage(message, mark))
    const tools = definitions?.map((tool) => markValue(tool, mark) as ToolDefinition)
    const turns = supportsTools ? messages : withToolsAsText(messages, tools)
    const withSystem = supportsSystem ? turns : withSystemInUserTurn(turns)
    return renderInOrder(renderAsGiven, dropsLateSystem ? withSystemFirst(withSystem) : withSystem, {
      ...options,
      tools: supportsTools ? tools : undefined,
      variables: markValue(variables, mark) as RenderOptions['variables'],
    })
  }

  return {
    stopSequences,
    writesBos,
    source: template,
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
    const reason = (cause instanceof Error ? cause.message : String(cause)).slice(0, 500)
    throw new ModelUnavailableError(
      `The model's chat template can't be read: ${reason}. Use a newer file of the model, or configure its dialogue format (the key dialogue).`,
      { cause },
    )
  }
}

/** Renders the messages as given or, if the template refuses the order of the turns, with alternating turns. */
function renderInOrder(render: Run, messages: readonly ChatMessage[], options: RenderOptions): string {
  try {
    return render(messages, options)
  } catch (error) {
    if (!isRefusal(error)) throw error
    try {
      return render(withAlternatingTurns(messages), options)
    } catch {
      // The template's reason for refusing the messages as the client sent them.
      throw error
    }
  }
}

function withDefaultSystemPrompt(
  messages: readonly ChatMessage[],
  prompt: string | undefined,
): readonly ChatMessage[] {
  if (!prompt || messages[0]?.role === 'system') return messages
  return [{ role: 'system', content: prompt }, ...messages]
}

/** Cuts off the end of the turn, so that the model continues the answer. */
function cutAtMark(rendered: string): string {
  const end = rendered.lastIndexOf(END_MARK)
  if (end !== -1) return rendered.slice(0, end)
  throw new InvalidRequestError("The model's chat template does not let the last answer be continued.", {
    param: 'messages',
  })
}

/** Renders messages whose texts name their roles. Undefined if the template refuses them. */
function attempt(render: Run, roles: readonly ChatMessage['role'][]): string | undefined {
  try {
    const messages = roles.map((role) => ({ role, content: `<${role}>` }))
    return render(messages, {})
  } catch {
    return undefined
  }
}

interface TemplateTraits {
  readonly writesBos: boolean
  readonly supportsSystem: boolean
  /** True if it silently drops a system message after the first turn (as Llama 2's template does). */
  readonly dropsLateSystem: boolean
}

/** Finds out by trial how a template treats roles. Some refuse system messages (Gemma's), others leave them out. */
function traitsOf(render: Run, template: string, bosText: string): TemplateTraits {
  const question = attempt(render, ['user'])
  if (question === undefined) {
    return {
      writesBos: bosText !== '' && template.includes('bos_token'),
      supportsSystem: true,
      dropsLateSystem: false,
    }
  }
  const supportsSystem = attempt(render, ['system', 'user'])?.includes('<system>') === true
  const late = supportsSystem ? attempt(render, ['user', 'assistant', 'system', 'user']) : undefined
  return {
    writesBos: bosText !== '' && question.startsWith(bosText),
    supportsSystem,
    dropsLateSystem: late?.includes('<system>') === false,
  }
}
