import type { Model, Session } from '../engine.ts'
import { forwardModel, forwardSession } from '../forward.ts'

export interface TrackUseOptions {
  readonly idleMs: number
  /** Called once the model has had no open session and no call for `idleMs`. */
  readonly onIdle: () => void
}

export interface TrackedModel {
  /** The same model; uses through this object are tracked. */
  readonly model: Model
  /** Restarts the idle timer, for a caller that is about to use the model. */
  touch(): void
}

/** Wraps a model, and calls `onIdle` once it has been unused for `idleMs`. */
export function trackUse(model: Model, { idleMs, onIdle }: TrackUseOptions): TrackedModel {
  let users = 0
  let timer: NodeJS.Timeout | undefined

  const begin = () => {
    users++
    clearTimeout(timer)
  }
  const end = () => {
    users--
    if (users === 0) timer = setTimeout(onIdle, idleMs).unref()
  }
  const during = async <T>(work: () => Promise<T>): Promise<T> => {
    begin()
    try {
      return await work()
    } finally {
      end()
    }
  }
  const touch = () => {
    begin()
    end()
  }
  touch()

  const { embed } = model
  const tracked = forwardModel(model, {
    ...(embed && { embed: (tokens, options) => during(() => embed.call(model, tokens, options)) }),
    async openSession(options) {
      begin()
      try {
        return notifyDisposal(await model.openSession(options), end)
      } catch (error) {
        end()
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer)
      await model[Symbol.asyncDispose]()
    },
  })
  return { model: tracked, touch }
}

function notifyDisposal(session: Session, onDisposed: () => void): Session {
  let disposed = false
  return forwardSession(session, {
    async [Symbol.asyncDispose]() {
      try {
        await session[Symbol.asyncDispose]()
      } finally {
        if (!disposed) onDisposed()
        disposed = true
      }
    },
  })
}
