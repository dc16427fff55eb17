import { text as readAll } from 'node:stream/consumers'
import { generationDefaults, type ModelSpec, toSamplingParams } from '@petals-chat/engine'
import { Conversation } from '../chat/conversation.ts'
import { converse } from '../chat/converse.ts'
import { createPromptLine } from '../chat/prompt-line.ts'
import { waitNotes } from '../chat/wait-notes.ts'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import type { CommandContext } from '../context.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { loadModel } from '../load-model.ts'
import { createRuntime, type Runtime } from '../runtime.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Chats with the first model in the terminal, or answers one question. Needs no server and no HTTP. */
export async function chat(context: CommandContext, words: readonly string[]): Promise<number> {
  const { terminal, flags } = context
  const options = readOptions(flags)
  const question = await readQuestion(words)
  const loaded = await loadConfig(context)
  await using runtime = await createRuntime(loaded, { terminal, quiet: true })
  const spec = await firstModel(loaded, runtime)
  const model = await loadModel(runtime.registry, spec, terminal)
  const defaults = generationDefaults(spec, model)
  await using conversation = new Conversation(model, {
    system: flags.system as string | undefined,
    sampling: toSamplingParams(defaults, options.temperature),
    maxNewTokens: options.maxTokens ?? defaults.max_new_tokens,
    maxSessionLength: spec.maxSessionLength,
  })
  // Awaited here, because the conversation and the model are disposed at the end of this function.
  if (question !== undefined) return await answerOnce(conversation, question, terminal)

  terminal.out(`${terminal.style('bold', spec.displayName ?? spec.id)} is ready. /help shows the commands.`)
  const read = createPromptLine(process.stdin, process.stdout)
  return await converse(conversation, { terminal, read, onInterrupt: onSigint })
}

/** An entry may stand for all models that another server lists: it is the first of them. */
async function firstModel({ config }: LoadedConfig, { registry, looked }: Runtime): Promise<ModelSpec> {
  const entry = config.models[0]!
  if (entry.engine === 'upstream') await looked()
  return registry.find(entry.id) ?? entry
}

async function answerOnce(conversation: Conversation, question: string, terminal: Terminal): Promise<number> {
  for await (const text of conversation.answer(question, { onWait: waitNotes(terminal) }))
    terminal.write(text)
  terminal.write('\n')
  return exitCodes.ok
}

/** Returns the question of the command line, in which `-` stands for stdin. Undefined: the user wants to type messages. */
async function readQuestion(words: readonly string[]): Promise<string | undefined> {
  const isPiped = !process.stdin.isTTY && words.length === 0
  const parts = words.filter((word) => word !== '-')
  const piped = isPiped || parts.length < words.length ? await readAll(process.stdin) : ''
  const question = [parts.join(' '), piped.trim()].filter((part) => part !== '').join('\n\n')
  if (question !== '') return question
  if (!isPiped && words.length === 0) return undefined
  throw new CommandError('No question given: pass one as an argument or on stdin.', exitCodes.usage)
}

function onSigint(listener: () => void): () => void {
  process.on('SIGINT', listener)
  return () => process.off('SIGINT', listener)
}

interface ChatOptions {
  readonly temperature: number | undefined
  readonly maxTokens: number | undefined
}

function readOptions({ temperature, maxTokens }: CommandContext['flags']): ChatOptions {
  return {
    temperature: readNumber(temperature, '--temperature', (value) => value >= 0, 'a number, 0 or more'),
    maxTokens: readNumber(
      maxTokens,
      '--max-tokens',
      (value) => Number.isSafeInteger(value) && value >= 1,
      'a whole number, 1 or more',
    ),
  }
}

function readNumber(text: unknown, flag: string, isValid: (value: number) => boolean, allowed: string) {
  if (text === undefined) return undefined
  const value = String(text).trim() === '' ? NaN : Number(text)
  if (Number.isFinite(value) && isValid(value)) return value
  throw new CommandError(`${flag}: '${String(text)}' is not allowed; it must be ${allowed}.`, exitCodes.usage)
}
