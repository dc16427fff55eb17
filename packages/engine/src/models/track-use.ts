import type { Model, Session } from '../engine.ts'

export interface TrackUseOptions {
  readonly idleMs: number
  /** Called once the model has had no open session and no call for `idleMs`. */
  readonly onIdle: () => void
}

export interface TrackedModel {
  /** The same model; who uses it through this one is noticed. */
  readonly model: Model
  /** Starts the wait anew: somebody is about to use the model. */
  touch(): void
}

/** Notices when nobody has used a model for a while. */
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
  const tracked: Model = {
    id: model.id,
    contextLength: model.contextLength,
    tokenizer: model.tokenizer,
    chatTemplate: model.chatTemplate,
    capabilities: model.capabilities,
    generation: model.generation,
    maxSessions: model.maxSessions,
    memoryBytes: model.memoryBytes,
    status: (options) => model.status(options),
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
  }
  return { model: tracked, touch }
}

function notifyDisposal(session: Session, onDisposed: () => void): Session {
  let disposed = false
  const { prewarm, score, route } = session
  return {
    maxLength: session.maxLength,
    get tokens() {
      return session.tokens
    },
    generate: (tokens, options) => session.generate(tokens, options),
    truncate: (length, options) => session.truncate(length, options),
    ...(prewarm && { prewarm: (options) => prewarm.call(session, options) }),
    ...(score && { score: (tokens, options) => score.call(session, tokens, options) }),
    ...(route && { route: () => route.call(session) }),
    async [Symbol.asyncDispose]() {
      try {
        await session[Symbol.asyncDispose]()
      } finally {
        if (!disposed) onDisposed()
        disposed = true
      }
    },
  }
}
