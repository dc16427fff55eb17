import type { ModelSpec } from '@petals-chat/engine'
import { type AnswerHead, answerHead } from '../../../generation/answer/answer-head.ts'

/** The first fields of every answer, and of every event of a streamed answer. */
export interface ResponseHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

type IdPrefix = 'chatcmpl' | 'cmpl' | 'embd'

/** Writes the head of an answer as OpenAI does. */
export const responseHead = (
  idPrefix: IdPrefix,
  { id, created, model, fingerprint }: AnswerHead,
): ResponseHead => ({
  id: `${idPrefix}-${id}`,
  created,
  model,
  system_fingerprint: fingerprint,
})

/** The head of an answer that is no generation. `version`: of this server. */
export const newResponseHead = (idPrefix: IdPrefix, spec: ModelSpec, version: string): ResponseHead =>
  responseHead(idPrefix, answerHead(spec, version))
