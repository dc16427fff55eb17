import type { Span } from '../blocks/spans.ts'
import type { InputHistory } from './input-history.ts'
import type { ServerSession, ServerSessionOptions } from './server-session.ts'

/** One hop of an open route. */
export interface OpenHop {
  readonly span: Span
  /** All inputs of this hop since position 0. */
  readonly history: InputHistory
  /** Undefined until it is opened, and after it was closed. */
  session: ServerSession | undefined
  /** A session on another server of the same blocks. It follows some tokens behind, and takes over when `session` fails. */
  spare?: ServerSession | undefined
}

/** Opens a session on the hop's server. `push` holds what the server has to know about pushes when the session opens. */
export type OpenServerSession = (
  hop: OpenHop,
  push: Pick<ServerSessionOptions, 'nextServers' | 'pushedOpenings'>,
) => ServerSession

export function closeSession(hop: OpenHop): void {
  hop.session?.close()
  hop.session = undefined
}

export function closeSpare(hop: OpenHop): void {
  hop.spare?.close()
  hop.spare = undefined
}
