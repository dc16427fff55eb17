import { beginRound, endRequest, type LiveAnswer } from '../chat/live-answer.ts'
import { hasOpenCalls, newCallId, type ToolCall } from '../chat/tool-calls.ts'
import { AnswerRun, type AnswerOutcome, type AnswerRunOptions } from './answer-run.ts'
import type { ChatTools } from './chat-tools.ts'
import { ToolRoundRun, type ConsentDecision } from './tool-round.ts'

export interface AnswerTurnOptions extends AnswerRunOptions {
  readonly tools: ChatTools
  /** How often the other tabs get a sign of life while nothing happens, in milliseconds. */
  readonly heartbeatMs: number
}

/** Completes one answer with all its requests: runs the tools that the model calls, and sends it their results. */
export class AnswerTurn {
  readonly #options: AnswerTurnOptions
  readonly #stop = new AbortController()
  #answer: LiveAnswer
  #request: AnswerRun | undefined
  #round: ToolRoundRun | undefined

  constructor(options: AnswerTurnOptions) {
    this.#options = options
    this.#answer = options.answer
  }

  /** Never rejects. Resolves immediately when it is stopped. */
  async run(): Promise<AnswerOutcome> {
    const stopped = new Promise<AnswerOutcome>((resolve) => {
      this.#stop.signal.addEventListener('abort', () => resolve({ status: 'stopped' }), { once: true })
    })
    return Promise.race([this.#untilEnd(), stopped])
  }

  /** Ends the answer, and cancels its calls; keeps what is there. */
  stop(): void {
    this.#stop.abort()
    this.#request?.stop()
  }

  /** Ends the turn because another tab has completed the answer. */
  leave(): void {
    this.#stop.abort()
    this.#request?.leave()
  }

  reconnect(): void {
    this.#request?.reconnect()
  }

  /** Takes the reader’s decision about a call. */
  decide(callId: string, decision: ConsentDecision): void {
    this.#round?.decide(callId, decision)
  }

  async #untilEnd(): Promise<AnswerOutcome> {
    for (;;) {
      if (!hasOpenCalls(this.#answer.calls)) {
        const outcome = await this.#ask()
        if (outcome.status !== 'done' || this.#answer.calls.length === 0) return outcome
        this.#endRequest()
      }
      await this.#callTools()
      if (this.#stop.signal.aborted) return { status: 'stopped' }
      const { rounds } = this.#answer
      const { maxRounds } = this.#options.tools
      const limit = rounds.length + 1 >= maxRounds ? maxRounds : undefined
      this.#update(beginRound(this.#answer, this.#options.now(), limit))
    }
  }

  async #ask(): Promise<AnswerOutcome> {
    this.#request = new AnswerRun({
      ...this.#options,
      answer: this.#answer,
      onChange: (answer) => this.#update(answer),
    })
    const outcome = await this.#request.run()
    this.#request = undefined
    return outcome
  }

  /** The server need not keep the part of the answer that ended with calls: it is saved with them. */
  #endRequest(): void {
    const { position, calls, rounds } = this.#answer
    const written = calls.map((call, index): ToolCall => {
      return { ...call, id: newCallId(rounds.length, index), state: 'waiting' }
    })
    this.#update(endRequest(this.#answer, written))
    if (position) void this.#options.client.forget(position.answerId).catch(() => {})
  }

  async #callTools(): Promise<void> {
    const { chatId, calls, rounds } = this.#answer
    this.#round = new ToolRoundRun({
      chatId,
      calls,
      rounds: rounds.length,
      tools: this.#options.tools,
      signal: this.#stop.signal,
      onChange: (changed) => this.#update({ ...this.#answer, calls: changed }),
    })
    const timer = setInterval(() => this.#update(this.#answer), this.#options.heartbeatMs)
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    await this.#round.run()
    clearInterval(timer)
    this.#round = undefined
  }

  #update(answer: LiveAnswer): void {
    this.#answer = answer
    if (!this.#stop.signal.aborted) this.#options.onChange(answer)
  }
}
