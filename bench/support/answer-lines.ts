import { createInterface } from 'node:readline'
import type { DraftFigures } from './draft-figures.ts'

/** The request to a client under test. Sampling is greedy, and end tokens are ignored. */
export interface AnswerRequest {
  readonly ids: readonly number[]
  readonly newTokens: number
  readonly maxLength: number
  /** Prewarm sessions before the clock starts, if the client can. */
  readonly prewarms?: boolean
}

export interface TimedAnswer {
  readonly ids: readonly number[]
  /** Since the opening of the session, or since the prompt if sessions were prewarmed. */
  readonly firstTokenSeconds: number
  /** The time of all tokens but the first. */
  readonly decodeSeconds: number
  /** Of a client with standbys: the positions up to which they had followed, by hop. */
  readonly standbys?: readonly (number | undefined)[] | undefined
  /** Of a client that guesses tokens. */
  readonly drafts?: { readonly accepted: number; readonly rejected: number } | undefined
  /** Of a client with a draft model. */
  readonly draftModel?: DraftFigures | undefined
}

/** The other end of a `LinePeer`: prints that it is ready, then answers each line of the input. */
export async function answerLines(answer: (request: AnswerRequest) => Promise<TimedAnswer>): Promise<void> {
  console.log(JSON.stringify({ ready: performance.now() / 1000 }))
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line) as AnswerRequest)))
  }
}

/** Times tokens as they arrive; `begin` is the time of the request. */
export class AnswerClock {
  readonly #begin = performance.now()
  #first: number | undefined

  token(): void {
    this.#first ??= performance.now()
  }

  done(ids: readonly number[]): TimedAnswer {
    const first = this.#first ?? performance.now()
    return {
      ids,
      firstTokenSeconds: (first - this.#begin) / 1000,
      decodeSeconds: (performance.now() - first) / 1000,
    }
  }
}
