/** There is no room for a KV cache now. Numbers are tokens over all loaded blocks. */
export class CacheFullError extends Error {
  override readonly name = 'CacheFullError'
  readonly needed: number
  readonly free: number
  readonly total: number

  constructor({ needed, free, total }: { needed: number; free: number; total: number }) {
    super(
      `The KV cache of this server is full: the session needs ${Math.ceil(needed)} of its ${total} tokens, ` +
        `${Math.floor(free)} are free. Try again later, or with a shorter session.`,
    )
    this.needed = needed
    this.free = free
    this.total = total
  }
}

/** The KV cache can never fit. Numbers are tokens over all loaded blocks. */
export class CacheTooLargeError extends Error {
  override readonly name = 'CacheTooLargeError'
  readonly needed: number
  readonly total: number

  constructor(needed: number, total: number) {
    super(
      `The session needs ${Math.ceil(needed)} tokens of KV cache, and this server has ${total} in all. ` +
        `Ask for a shorter session or a smaller batch.`,
    )
    this.needed = needed
    this.total = total
  }
}

/** The KV cache was given to another owner, who had less. */
export class CacheReclaimedError extends Error {
  override readonly name = 'CacheReclaimedError'

  constructor() {
    super('The KV cache of this session was given to another client. Open the session again.')
  }
}

/** A pass does not fit the engine or the session: wrong blocks, shape or position. */
export class InvalidPassError extends Error {
  override readonly name = 'InvalidPassError'
}

/** The native process has ended: the caches that it had are lost. New ones can be opened once it has been started again. */
export class EngineEndedError extends Error {
  override readonly name = 'EngineEndedError'
}
