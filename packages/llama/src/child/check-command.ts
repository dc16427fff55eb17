import type { SamplingParams, TokenId } from '@petals-chat/engine'
import type { Command } from '../protocol.ts'
import type { Sequence } from './sequence.ts'

/** The limits of the loaded model. */
export interface CommandLimits {
  readonly vocabSize: number
  readonly contextLength: number
  readonly embeddingLength: number
  readonly sequences: readonly Sequence[]
}

const MAX_TOP_LOGPROBS = 20

/**
 * The last check before native code, which validates no number. The parent has checked requests already, with error
 * messages for clients; a failure here is a bug of this program. @throws RangeError
 */
export function checkCommand(command: Command, limits: CommandLimits): void {
  switch (command.type) {
    case 'generate':
      checkInteger('maxLength', command.maxLength, 1, limits.contextLength)
      checkInteger('credit', command.credit, 1, 2 ** 20)
      checkInteger('answered', command.answered, 0, command.tokens.length)
      checkTokens(command.tokens, limits, command.maxLength - sequenceOf(command.slot, limits).tokens.length)
      for (const token of command.prediction) checkToken(token, limits)
      checkSampling(command.sampling, limits)
      if (command.topLogprobs !== undefined)
        checkInteger('topLogprobs', command.topLogprobs, 0, MAX_TOP_LOGPROBS)
      return
    case 'score':
      checkTokens(
        command.tokens,
        limits,
        limits.contextLength - sequenceOf(command.slot, limits).tokens.length,
      )
      return checkInteger('topLogprobs', command.topLogprobs, 0, MAX_TOP_LOGPROBS)
    case 'embed':
      return checkTokens(command.tokens, limits, limits.embeddingLength)
    case 'truncate':
      return checkInteger('length', command.length, 0, sequenceOf(command.slot, limits).tokens.length)
    case 'stop':
      sequenceOf(command.slot, limits)
      return checkInteger('keep', command.keep, 0, limits.contextLength)
    case 'clear':
      return void sequenceOf(command.slot, limits)
    case 'credit':
      return checkInteger('count', command.count, 0, 2 ** 20)
    case 'prepare':
    case 'load':
    case 'ping':
      return
  }
}

function sequenceOf(slot: number, { sequences }: CommandLimits): Sequence {
  checkInteger('slot', slot, 0, sequences.length - 1)
  return sequences[slot]!
}

function checkTokens(tokens: readonly TokenId[], limits: CommandLimits, room: number): void {
  checkInteger('the number of tokens', tokens.length, 1, room)
  for (const token of tokens) checkToken(token, limits)
}

function checkToken(token: TokenId, { vocabSize }: CommandLimits): void {
  checkInteger('a token', token, 0, vocabSize - 1)
}

function checkSampling(sampling: SamplingParams, { vocabSize }: CommandLimits): void {
  const { topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, seed, logitBias } = sampling
  checkNumber('temperature', sampling.temperature, 0, Number.MAX_VALUE)
  if (topK !== undefined) checkInteger('topK', topK, 1, Number.MAX_SAFE_INTEGER)
  if (topP !== undefined) checkNumber('topP', topP, 0, 1)
  if (minP !== undefined) checkNumber('minP', minP, 0, 1)
  if (repetitionPenalty !== undefined)
    checkNumber('repetitionPenalty', repetitionPenalty, Number.MIN_VALUE, Number.MAX_VALUE)
  if (presencePenalty !== undefined) checkNumber('presencePenalty', presencePenalty, -2, 2)
  if (frequencyPenalty !== undefined) checkNumber('frequencyPenalty', frequencyPenalty, -2, 2)
  if (seed !== undefined) checkInteger('seed', seed, 0, 2 ** 32 - 1)
  for (const [token, bias] of logitBias ?? []) {
    checkInteger('a token of logitBias', token, 0, vocabSize - 1)
    checkNumber('a bias of logitBias', bias, -100, 100)
  }
}

function checkNumber(name: string, value: number, minimum: number, maximum: number): void {
  if (typeof value === 'number' && value >= minimum && value <= maximum) return
  throw new RangeError(`${name} must be from ${minimum} to ${maximum}, but is ${String(value)}`)
}

function checkInteger(name: string, value: number, minimum: number, maximum: number): void {
  checkNumber(name, value, minimum, maximum)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name} must be an integer, but is ${value}`)
}
