import type { BlockSpan } from '@petals-chat/engine'
import type { ServerEvent } from './log-reader.ts'

/** The state of a server since its start. */
export interface ServerState {
  readonly phase: 'starting' | 'measuring' | 'loading' | 'serving' | 'waiting'
  readonly blocks: BlockSpan | undefined
  /** The number of blocks whose weights are loaded. */
  readonly loaded: number
  /** The file that is being downloaded. */
  readonly download: { readonly file: string; readonly percent: number } | undefined
  readonly addresses: readonly string[]
  readonly throughput: number | undefined
  readonly relayed: boolean
  /** Tokens processed since the command was started, including all restarts. */
  readonly prompt: number
  readonly generated: number
  /** The open sessions, and the total number of sessions. */
  readonly sessions: number
  readonly allSessions: number
}

export const initialState: ServerState = {
  phase: 'starting',
  blocks: undefined,
  loaded: 0,
  download: undefined,
  addresses: [],
  throughput: undefined,
  relayed: false,
  prompt: 0,
  generated: 0,
  sessions: 0,
  allSessions: 0,
}

/** Resets the state for a new server; the totals are kept. */
export const restarted = ({ prompt, generated, allSessions }: ServerState): ServerState => ({
  ...initialState,
  prompt,
  generated,
  allSessions,
})

export function withEvent(state: ServerState, event: ServerEvent): ServerState {
  switch (event.kind) {
    case 'addresses':
      return { ...state, addresses: event.addresses }
    case 'measuring':
      return { ...state, phase: 'measuring' }
    case 'blocks':
      // Petals may also move to other blocks on its own.
      return { ...state, phase: 'loading', blocks: event.blocks, loaded: 0 }
    case 'loaded':
      return { ...state, loaded: state.loaded + 1, download: undefined }
    case 'download':
      return { ...state, download: event }
    case 'throughput':
      return { ...state, throughput: event.tokensPerSecond }
    case 'relayed':
      return { ...state, relayed: true }
    case 'started':
      return { ...state, phase: 'serving', download: undefined, sessions: 0 }
    case 'tokens':
      return { ...state, prompt: state.prompt + event.prompt, generated: state.generated + event.generated }
    case 'session':
      return {
        ...state,
        sessions: Math.max(0, state.sessions + event.change),
        allSessions: state.allSessions + Math.max(0, event.change),
      }
  }
}
