import type { Model, Session } from './engine.ts'

type OptionalKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T]
type OptionalSessionMethod = OptionalKeys<Session>

/** The methods that a session may lack. A method that is added to `Session` must be added here: the type requires it. */
const optionalMethods: Readonly<Record<OptionalSessionMethod, true>> = {
  prewarm: true,
  score: true,
  route: true,
  memoryBytes: true,
  drafts: true,
}

/** Names of the methods of `Session` that an engine may leave out. */
export const optionalSessionMethods = Object.keys(optionalMethods) as readonly OptionalSessionMethod[]

/**
 * Returns a session that passes every call on to `session`, except those that `overrides` has. A method that `session`
 * lacks stays absent. Wrap sessions with this function only: a hand-written list of methods misses those added later.
 */
export function forwardSession(session: Session, overrides: Partial<Session> = {}): Session {
  const optional = Object.fromEntries(
    optionalSessionMethods.flatMap((name) => {
      const method = session[name]
      return method === undefined ? [] : [[name, method.bind(session)]]
    }),
  ) as Partial<Session>
  return {
    maxLength: session.maxLength,
    get tokens() {
      return session.tokens
    },
    generate: (tokens, options) => session.generate(tokens, options),
    truncate: (length, options) => session.truncate(length, options),
    ...optional,
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    ...overrides,
  }
}

/** Returns a model that passes every call on to `model`, except those that `overrides` has. */
export function forwardModel(model: Model, overrides: Partial<Model> = {}): Model {
  const embed = model.embed?.bind(model)
  return {
    id: model.id,
    contextLength: model.contextLength,
    tokenizer: model.tokenizer,
    chatTemplate: model.chatTemplate,
    capabilities: model.capabilities,
    generation: model.generation,
    maxSessions: model.maxSessions,
    room: model.room,
    memoryBytes: model.memoryBytes,
    openSession: (options) => model.openSession(options),
    status: (options) => model.status(options),
    ...(embed && { embed }),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    ...overrides,
  }
}
