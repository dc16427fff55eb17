import { createInterface } from 'node:readline'

/** What a client under test is asked for: greedy, whatever the tokens are. */
export interface AnswerRequest {
  readonly ids: readonly number[]
  readonly newTokens: number
  readonly maxLength: number
  /** Opens sessions before the clock starts, where the client can. */
  readonly prewarms?: boolean
}

export interface TimedAnswer {
  readonly ids: readonly number[]
  /** From the opening of the session, or from the prompt where sessions were prewarmed. */
  readonly firstTokenSeconds: number
  /** Of all tokens but the first. */
  readonly decodeSeconds: number
}

/** The other end of a `LinePeer`: says that it is ready, then answers each line of the input. */
export async function answerLines(answer: (request: AnswerRequest) => Promise<TimedAnswer>): Promise<void> {
  console.log(JSON.stringify({ ready: performance.now() / 1000 }))
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line) as AnswerRequest)))
  }
}

/** Times tokens as they come: `begin` is when the request was made. */
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
