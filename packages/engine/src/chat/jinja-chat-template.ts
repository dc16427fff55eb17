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
  /** `Tokenizer.controlTexts`: what messages and tools can only spell out, never be (default none). */
  readonly controlTexts?: readonly string[] | undefined
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
  const { template, bosText, eosText, stopSequences = [], systemPrompt, controlTexts = [] } = options
  const mark = literalMarker(controlTexts)
  const program = parse(template)
  const knowsTools = /\btools\b/.test(template)
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
  const { writesBos, knowsSystem, dropsLateSystem } = traitsOf(renderAsGiven, template, bosText)

  const run: Run = (given, { tools: definitions, variables, ...options }) => {
    const messages = withDefaultSystemPrompt(given, systemPrompt).map((message) => markMessage(message, mark))
    const tools = definitions?.map((tool) => markValue(tool, mark) as ToolDefinition)
    const turns = knowsTools ? messages : withToolsAsText(messages, tools)
    const withSystem = knowsSystem ? turns : withSystemInUserTurn(turns)
    return renderInOrder(renderAsGiven, dropsLateSystem ? withSystemFirst(withSystem) : withSystem, {
      ...options,
      tools: knowsTools ? tools : undefined,
      variables: markValue(variables, mark) as RenderOptions['variables'],
    })
  }

  return {
    stopSequences,
    writesBos,
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

/** As given; where the template refuses the order of the turns, with alternating ones. */
function renderInOrder(render: Run, messages: readonly ChatMessage[], options: RenderOptions): string {
  try {
    return render(messages, options)
  } catch (error) {
    if (!isRefusal(error)) throw error
    try {
      return render(withAlternatingTurns(messages), options)
    } catch {
      // What the template said about the messages as the client sent them.
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

interface TemplateTraits {
  readonly writesBos: boolean
  readonly knowsSystem: boolean
  /** A system message after the first turn is left out without a word (Llama 2's template). */
  readonly dropsLateSystem: boolean
}

/** What a template does with roles, found by trying. Some refuse system messages (Gemma's), others leave them out. */
function traitsOf(render: Run, template: string, bosText: string): TemplateTraits {
  const question = attempt(render, ['user'])
  if (question === undefined) {
    return {
      writesBos: bosText !== '' && template.includes('bos_token'),
      knowsSystem: true,
      dropsLateSystem: false,
    }
  }
  const knowsSystem = attempt(render, ['system', 'user'])?.includes('<system>') === true
  const late = knowsSystem ? attempt(render, ['user', 'assistant', 'system', 'user']) : undefined
  return {
    writesBos: bosText !== '' && question.startsWith(bosText),
    knowsSystem,
    dropsLateSystem: late?.includes('<system>') === false,
  }
}
