import type { ChoiceCost } from '../../generation/answer/answer-job.ts'

/** The clock of one request, in the nanoseconds of Ollama's figures. */
export class RequestClock {
  readonly #begun = performance.now()
  #loadedMs = 0

  /** Call it when the model is loaded and the prompt is ready. `at`: if that was earlier. */
  loaded(at = performance.now()): void {
    this.#loadedMs = at - this.#begun
  }

  get times() {
    return {
      total_duration: toNanoseconds(performance.now() - this.#begun),
      load_duration: toNanoseconds(this.#loadedMs),
    }
  }

  /** What an answer took. */
  figures({ usage, timings }: ChoiceCost) {
    return {
      ...this.times,
      prompt_eval_count: usage.promptTokens,
      prompt_eval_duration: toNanoseconds(timings.timeToFirstTokenMs),
      eval_count: usage.completionTokens,
      eval_duration: toNanoseconds(timings.decodeMs),
    }
  }
}

const toNanoseconds = (ms: number): number => Math.round(ms * 1e6)
