import type { BlockCache, BlockEngineInfo, BlockStep, OpenCacheOptions } from './block-engine.ts'
import type { BlockClient } from './block-client.ts'
import { checkStep } from './check-pass.ts'
import { CacheReclaimedError, EngineEndedError, InvalidPassError } from './errors.ts'
import type { Room } from './room.ts'

/** Room in the KV cache, and what is aborted when it has to be given back. */
export interface GivenRoom {
  readonly room: Room
  readonly reclaimed: AbortSignal
}

/** A KV cache in the process that computes. */
export class EngineCache implements BlockCache {
  readonly #client: BlockClient
  readonly #info: BlockEngineInfo
  readonly #options: OpenCacheOptions
  readonly #room: Room
  readonly #reclaimed: AbortSignal
  readonly #id: number
  readonly #generation: number
  #position = 0
  #state: 'idle' | 'busy' | 'unusable' | 'closed' = 'idle'

  private constructor(
    client: BlockClient,
    info: BlockEngineInfo,
    options: OpenCacheOptions,
    given: GivenRoom,
  ) {
    this.#client = client
    this.#info = info
    this.#options = options
    this.#room = given.room
    this.#reclaimed = given.reclaimed
    this.#id = client.nextRequest()
    this.#generation = client.generation
  }

  /** Opens the cache in the room that was reserved for it, which is released if that fails. */
  static async open(
    client: BlockClient,
    info: BlockEngineInfo,
    options: OpenCacheOptions,
    given: GivenRoom,
  ): Promise<EngineCache> {
    const cache = new EngineCache(client, info, options, given)
    const { start, end, batch, maxLength } = options
    const [from, to] = [start - info.start, end - info.start]
    const request = client.nextRequest()
    try {
      await client.call({ type: 'open', request, cache: cache.#id, from, to, batch, maxLength })
    } catch (error) {
      given.room.release()
      throw error
    }
    cache.#watchReclaim()
    return cache
  }

  get position(): number {
    return this.#position
  }

  async step(step: BlockStep): Promise<Float32Array> {
    this.#checkUsable()
    const { position = this.#position, hypoIds, tokens, signal } = step
    checkStep(this.#info, { ...this.#options, position: this.#position }, step)
    signal?.throwIfAborted()
    this.#state = 'busy'
    const isUsed = this.#room.use()
    try {
      const outputs = await this.#compute(step, position)
      this.#position = position + tokens
      this.#becomeIdle('idle')
      return outputs
    } catch (error) {
      // Cells after its first position may have been written.
      this.#position = Math.min(this.#position, position)
      // Rows may or may not have been exchanged.
      this.#becomeIdle(hypoIds ? 'unusable' : 'idle')
      throw this.#reclaimed.aborted ? new CacheReclaimedError() : error
    } finally {
      isUsed()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    if (this.#generation === this.#client.generation) {
      const request = this.#client.nextRequest()
      // If the process ends meanwhile, the room is free.
      await this.#client.call({ type: 'close', request, cache: this.#id }).catch(() => {})
    }
    this.#room.release()
  }

  async #compute({ start, end, tokens, states, hypoIds, prompts, signal }: BlockStep, position: number) {
    const first = this.#info.start
    const outputs = await this.#client.call(
      {
        type: 'step',
        request: this.#client.nextRequest(),
        cache: this.#id,
        from: start - first,
        to: end - first,
        tokens,
        position,
        hypoIds,
        states,
        prompts,
      },
      { signal },
    )
    return outputs!
  }

  #watchReclaim(): void {
    const giveBack = (): void => {
      void this[Symbol.asyncDispose]()
      this.#options.onReclaimed?.()
    }
    if (this.#reclaimed.aborted) giveBack()
    else this.#reclaimed.addEventListener('abort', giveBack)
  }

  #becomeIdle(state: 'idle' | 'unusable'): void {
    if (this.#state === 'busy') this.#state = state
  }

  #checkUsable(): void {
    if (this.#reclaimed.aborted) throw new CacheReclaimedError()
    if (this.#generation !== this.#client.generation)
      throw new EngineEndedError(
        'The KV cache is lost: the process that computes the blocks has ended. Open the session again.',
      )
    const problems = {
      idle: undefined,
      busy: 'another step of the session is being computed',
      unusable: 'an earlier step with hypo_ids failed. Open it again',
      closed: 'it is closed',
    }
    const problem = problems[this.#state]
    if (problem !== undefined) throw new InvalidPassError(`The session can't be continued: ${problem}.`)
  }
}
