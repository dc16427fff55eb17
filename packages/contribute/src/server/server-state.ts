import type { BlockSpan } from '@petals-chat/engine'
import type { ServerEvent } from './log-reader.ts'

/** What is known of a server, from its start on. */
export interface ServerState {
  readonly phase: 'starting' | 'measuring' | 'loading' | 'serving' | 'waiting'
  readonly blocks: BlockSpan | undefined
  /** Blocks whose weights are there. */
  readonly loaded: number
  /** A file that is on its way. */
  readonly download: { readonly file: string; readonly percent: number } | undefined
  readonly addresses: readonly string[]
  readonly throughput: number | undefined
  readonly relayed: boolean
  /** Tokens answered since this command runs, over all restarts. */
  readonly prompt: number
  readonly generated: number
  /** Sessions that are open, and all there have been. */
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

/** A new server has everything before it, but what was answered stays answered. */
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
      // Also when Petals moves to others by itself.
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
