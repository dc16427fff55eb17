import { LookupSource } from '@petals-chat/engine/drafting'
import type {
  Command,
  FailedMessage,
  ScoreCommand,
  GenerateCommand,
  StopCommand,
  TruncateCommand,
} from '../protocol.ts'
import type { BatchScheduler } from './batch-scheduler.ts'
import { checkCommand, type CommandLimits } from './check-command.ts'
import { Credit } from './credit.ts'
import type { Embedder } from './embedder.ts'
import { generate, LengthReached } from './generate.ts'
import type { NativeGrammarState, NativeLayer } from './native.ts'
import type { Outbox } from './outbox.ts'
import { score } from './score.ts'
import type { Sequence } from './sequence.ts'

export interface ModelServerOptions {
  readonly native: NativeLayer
  readonly scheduler: BatchScheduler
  readonly embedder: Embedder
  readonly limits: CommandLimits
  readonly outbox: Outbox
  /** Tokens of answers are guessed. */
  readonly speculates: boolean
  isEndToken(token: number): boolean
}

interface Running {
  readonly slot: number
  readonly abort: AbortController
  readonly credit: Credit
  readonly finished: Promise<void>
}

type RequestCommand = Extract<Command, { request: number }>

/** llama.cpp can't read the grammar. */
class GrammarError extends Error {
  override readonly name = 'GrammarError'
}

/** Serves the parent's requests with a loaded model. */
export class ModelServer {
  readonly #options: ModelServerOptions
  readonly #running = new Map<number, Running>()
  /** By slot: what guesses its tokens. */
  readonly #sources: LookupSource[]

  constructor(options: ModelServerOptions) {
    this.#options = options
    this.#sources = options.speculates ? options.limits.sequences.map(() => new LookupSource()) : []
  }

  handle(command: RequestCommand): void {
    try {
      checkCommand(command, this.#options.limits)
    } catch (error) {
      return this.#fail(command.request, error)
    }
    switch (command.type) {
      case 'generate':
        return this.#run(command, (running) => this.#generate(command, running))
      case 'score':
        return this.#run(command, (running) => this.#score(command, running))
      case 'credit':
        return this.#running.get(command.request)?.credit.add(command.count)
      case 'stop':
        return void this.#stop(command)
      case 'truncate':
        return void this.#answer(command.request, () => this.#truncate(command))
      case 'clear':
        return void this.#answer(command.request, async () => {
          await this.#stopSlot(command.slot)
          this.#sequence(command.slot).clear()
          // The next session may hold texts of another kind.
          if (this.#options.speculates) this.#sources[command.slot] = new LookupSource()
        })
      case 'embed':
        return void this.#answer(command.request, async () => {
          const { embedder, scheduler, outbox } = this.#options
          const vector = await scheduler.exclusively(() => embedder.embed(command.tokens))
          outbox.send({ type: 'embedding', request: command.request, vector })
        })
    }
  }

  /** Runs a request that `stop` can end. */
  #run(
    { request, slot, ...command }: GenerateCommand | ScoreCommand,
    work: (running: Running) => Promise<void>,
  ): void {
    const credit = new Credit('credit' in command ? command.credit : 0)
    const finished = Promise.withResolvers<void>()
    const running = { slot, abort: new AbortController(), credit, finished: finished.promise }
    this.#running.set(request, running)
    void work(running)
      .catch((error: unknown) => {
        if (!running.abort.signal.aborted) return this.#fail(request, error)
        this.#options.outbox.send({ type: 'done', request })
      })
      .finally(() => {
        this.#running.delete(request)
        finished.resolve()
      })
  }

  async #generate(command: GenerateCommand, { abort, credit }: Running): Promise<void> {
    const { native, scheduler, outbox, isEndToken } = this.#options
    const grammar = command.grammar === undefined ? undefined : this.#startGrammar(command.grammar)
    await generate(command, grammar, {
      native,
      scheduler,
      sequence: this.#sequence(command.slot),
      credit,
      source: this.#sources[command.slot],
      signal: abort.signal,
      isEndToken,
      send: (token) => outbox.addToken({ request: command.request, ...token }),
    })
  }

  #startGrammar(source: string): NativeGrammarState {
    try {
      return this.#options.native.startGrammar(source)
    } catch (cause) {
      throw new GrammarError(cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  async #score(command: ScoreCommand, { abort }: Running): Promise<void> {
    const { native, scheduler, outbox } = this.#options
    const sequence = this.#sequence(command.slot)
    const scores = await score(command, { native, scheduler, sequence, signal: abort.signal })
    outbox.send({ type: 'scores', request: command.request, scores })
  }

  async #stop({ request, slot, keep }: StopCommand): Promise<void> {
    await this.#answer(request, async () => {
      await this.#stopSlot(slot)
      await this.#keep(slot, keep)
    })
  }

  async #truncate({ slot, length }: TruncateCommand): Promise<void> {
    await this.#keep(slot, length)
  }

  async #stopSlot(slot: number): Promise<void> {
    const onSlot = [...this.#running.values()].filter((running) => running.slot === slot)
    for (const { abort } of onSlot) abort.abort()
    await Promise.all(onSlot.map(({ finished }) => finished))
  }

  async #keep(slot: number, length: number): Promise<void> {
    const sequence = this.#sequence(slot)
    const lost = sequence.truncate(length)
    const { signal } = new AbortController()
    await this.#options.scheduler.evaluate({ sequence, tokens: lost, logits: 'none', signal })
  }

  async #answer(request: number, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#options.outbox.send({ type: 'done', request })
    } catch (error) {
      this.#fail(request, error)
    }
  }

  #sequence(slot: number): Sequence {
    return this.#options.limits.sequences[slot]!
  }

  #fail(request: number, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.#options.outbox.send({ type: 'failed', request, reason: reasonOf(error), text })
  }
}

function reasonOf(error: unknown): FailedMessage['reason'] {
  if (error instanceof LengthReached) return 'length'
  return error instanceof GrammarError ? 'grammar' : 'failed'
}
