import { ApiError, toApiError, type ApiErrorDetails } from '../api/errors.ts'
import type { Session, SessionClient, SessionUser, SignInFailure, SignInWays } from '../api/session.ts'
import { createStore, type Store } from '../store.ts'

export interface SessionState {
  /** `unknown`: not asked yet. `open`: this server asks for no sign-in. */
  readonly status: 'unknown' | 'open' | 'signed-out' | 'signed-in'
  readonly user: SessionUser | undefined
  readonly ways: SignInWays
  /** Why the reader must sign in: they were signed in until now, or the provider's redirect brought no sign-in. */
  readonly reason: 'ended' | SignInFailure | undefined
}

/** A sign-in with a key: done, or why not. */
export type KeySignIn = { readonly done: true } | { readonly done: false; readonly error: ApiErrorDetails }

export interface SessionStore extends Store<SessionState> {
  /** Asks the server who is signed in. Keeps the last state while it can't be asked. */
  refresh(): Promise<void>
  signIn(key: string): Promise<KeySignIn>
  /** Signs out here and in the other tabs. Resolves with the error if the server could not be told. */
  signOut(): Promise<ApiErrorDetails | undefined>
}

export interface SessionStoreOptions {
  readonly client: SessionClient
  /** Why the provider's redirect brought no sign-in, if it is what opened the page. */
  readonly failure?: SignInFailure | undefined
  /** Tells the other tabs that they must ask again. */
  readonly publish?: () => void
  /** Called when another reader is signed in than before, or none; not for the first answer of the server. */
  readonly onChange?: () => void
}

const noWays: SignInWays = { key: false, openid: undefined, signOut: undefined }

/** Who is signed in on this page. */
export function createSessionStore(options: SessionStoreOptions): SessionStore {
  const { client, failure, publish = () => {}, onChange = () => {} } = options
  const store = createStore<SessionState>({
    status: 'unknown',
    user: undefined,
    ways: noWays,
    reason: failure,
  })
  let running: Promise<void> | undefined
  const apply = (session: Session, reason: SessionState['reason']): void => {
    const before = store.get()
    store.set(stateOf(session, before, reason))
    if (before.status !== 'unknown' && before.user?.name !== session.user?.name) onChange()
  }
  const refresh = (): Promise<void> =>
    (running ??= client
      .fetch()
      .then((session) => apply(session, undefined))
      .catch(() => {})
      .finally(() => (running = undefined)))

  return {
    get: store.get,
    subscribe: store.subscribe,
    refresh,
    async signIn(key) {
      try {
        apply(await client.signIn(key), undefined)
        publish()
        return { done: true }
      } catch (cause) {
        return { done: false, error: toApiError(cause).details }
      }
    },
    async signOut() {
      try {
        await client.signOut()
      } catch (cause) {
        return toApiError(cause).details
      }
      publish()
      // Nothing has ended against the reader's will.
      store.update((state) => ({ ...state, user: undefined }))
      onChange()
      await refresh()
      return undefined
    },
  }
}

function stateOf(
  { required, user, ways }: Session,
  before: SessionState,
  reason: SessionState['reason'],
): SessionState {
  const status = user ? 'signed-in' : required ? 'signed-out' : 'open'
  if (status !== 'signed-out') return { status, user, ways, reason: undefined }
  const ended = before.status === 'signed-in' && before.user !== undefined ? 'ended' : undefined
  return { status, user, ways, reason: reason ?? ended ?? before.reason }
}

/** Reports whether a failure says that the reader is not signed in. */
export const isSignedOut = (cause: unknown): boolean =>
  cause instanceof ApiError && cause.details.kind === 'signed-out'
