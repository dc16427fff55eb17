import { ConnectionLostError, ProtocolError } from '../errors.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import type { HiddenTensor } from './step-outputs.ts'

/**
 * The states of a server session, and what each event does in them. No I/O here: {@link ServerSession} has the stream and
 * the deadline, and reports to this table what happened.
 *
 * | phase     | meaning                                                                        |
 * | --------- | ------------------------------------------------------------------------------ |
 * | `opening` | the connection, or the answer to the opening request, is awaited               |
 * | `joining` | open; servers of earlier hops will push one empty step each while they open    |
 * | `ready`   | open, no step is pending                                                       |
 * | `working` | open, at least one step is pending                                             |
 * | `expired` | over: the server ended the stream normally while no step was pending           |
 * | `failed`  | over: an error, a passed deadline or a malformed answer                        |
 * | `closed`  | over: the client closed it                                                     |
 *
 * | event      | opening           | joining           | ready            | working          | over |
 * | ---------- | ----------------- | ----------------- | ---------------- | ---------------- | ---- |
 * | `opened`   | joining or ready  | ✗                 | ✗                | ✗                | –    |
 * | `stepped`  | ✗                 | ✗                 | working          | working          | ✗    |
 * | `arrived`  | –                 | –                 | –                | working          | –    |
 * | `answered` | ✗                 | joining or ready  | ✗                | working or ready | –    |
 * | `taken`    | ✗                 | ✗                 | ready            | working          | ✗    |
 * | `rewound`  | ✗                 | ✗                 | ready            | ✗                | ✗    |
 * | `broken`   | failed            | expired or failed | expired or failed | failed          | –    |
 * | `closed`   | closed            | closed            | closed           | closed           | –    |
 *
 * –: nothing changes. ✗: a fault of this program, which throws.
 */
export const sessionPhases = [
  'opening',
  'joining',
  'ready',
  'working',
  'expired',
  'failed',
  'closed',
] as const

export type SessionPhase = (typeof sessionPhases)[number]

export interface SessionState {
  readonly phase: SessionPhase
  /** Positions that were sent to the server: the length of its KV cache once it has run them. */
  readonly sent: number
  /** Steps without an answer, oldest first: servers answer in order. */
  readonly pending: readonly PendingStep[]
  /** Answers that the route has not taken yet, oldest first. */
  readonly outputs: readonly HiddenTensor[]
  /** Type of the server's outputs and of its arithmetic; known once the session is open. */
  readonly dtype: FloatDtype | undefined
  /** Empty steps that will still be pushed to this session while its predecessors open. */
  readonly pushedOpenings: number
  /** What the next request has to say besides its inputs: nothing, what opens the session, or where it starts. */
  readonly nextRequest: 'plain' | 'opens' | 'rewinds'
  readonly lastAnswer: Answer | undefined
  /** When the last answer came, or the session was begun; `performance.now()` milliseconds. */
  readonly lastAnswerAt: number
  /** Why the session is over; undefined while it is not. */
  readonly failure: Error | undefined
}

export interface PendingStep {
  readonly tokens: number
  /** Undefined where the predecessor pushes them. */
  readonly inputs: Uint8Array | undefined
  /** When the server can have begun at the earliest, `performance.now()` milliseconds; Infinity until a push has arrived. */
  readonly since: number
}

interface Answer {
  readonly inputs: Uint8Array | undefined
  readonly outputs: Uint8Array
}

export type SessionEvent =
  /** The stream is open and the server has answered the opening request, or will be sent it with the first step. */
  | {
      readonly type: 'opened'
      readonly dtype: FloatDtype
      readonly at: number
      readonly firstStepOpens: boolean
    }
  /** A step is sent, by this client or by a push. */
  | ({ readonly type: 'stepped' } & PendingStep)
  /** The predecessor has answered, so what it pushes must have reached the server at about this time. */
  | { readonly type: 'arrived'; readonly at: number }
  | { readonly type: 'answered'; readonly outputs: HiddenTensor; readonly at: number }
  /** The route took the oldest outputs. */
  | { readonly type: 'taken' }
  /** What follows overwrites the KV cache from `position` on. */
  | { readonly type: 'rewound'; readonly position: number }
  | { readonly type: 'broken'; readonly error: Error }
  | { readonly type: 'closed'; readonly error: Error }

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { readonly type: Type }>

/** What each event does in one phase. */
type Rules = {
  readonly [Type in SessionEvent['type']]: (state: SessionState, event: EventOf<Type>) => SessionState
}

/** @param now `performance.now()` milliseconds */
export const initialState = (pushedOpenings: number, now: number): SessionState => ({
  phase: 'opening',
  sent: 0,
  pending: [],
  outputs: [],
  dtype: undefined,
  pushedOpenings,
  nextRequest: 'plain',
  lastAnswer: undefined,
  lastAnswerAt: now,
  failure: undefined,
})

/** @throws ProtocolError if an answer repeats the one before; the shell then reports `broken` */
export function transition(state: SessionState, event: SessionEvent): SessionState {
  const rule = rules[state.phase][event.type] as (state: SessionState, event: SessionEvent) => SessionState
  return rule(state, event)
}

export const isOver = ({ phase }: SessionState): boolean =>
  phase === 'expired' || phase === 'failed' || phase === 'closed'

/** Positions whose outputs the route has taken. */
export const takenOf = ({ sent, pending, outputs }: SessionState): number =>
  sent - sum(pending.map(({ tokens }) => tokens)) - sum(outputs.map(({ shape }) => shape[1]!))

/** Returns the tokens of the answer that comes next. @throws ProtocolError if no answer is due */
export function tokensDue({ phase, pending }: SessionState): number {
  if (phase === 'joining') return 0
  if (!pending[0]) throw new ProtocolError('An answer came that no request had asked for.')
  return pending[0].tokens
}

/** Returns what a deadline runs for, as one value that stays the same until the next deadline begins; undefined for nothing. */
export function awaited({ phase, pending }: SessionState): 'opening' | 'joining' | PendingStep | undefined {
  if (phase === 'opening' || phase === 'joining') return phase
  return phase === 'working' ? pending[0] : undefined
}

const unchanged = (state: SessionState): SessionState => state

function impossible({ phase }: SessionState, { type }: SessionEvent): never {
  throw new Error(`A server session that is ${phase} can't be ${type}.`)
}

/** The phase of a session that is open. */
const openPhase = (
  state: Pick<SessionState, 'pushedOpenings' | 'pending'>,
): 'joining' | 'ready' | 'working' => {
  if (state.pushedOpenings > 0) return 'joining'
  return state.pending.length > 0 ? 'working' : 'ready'
}

const open: Rules['opened'] = (state, { dtype, at, firstStepOpens }) => ({
  ...state,
  phase: openPhase(state),
  dtype,
  lastAnswerAt: at,
  nextRequest: firstStepOpens ? 'opens' : 'plain',
})

const step: Rules['stepped'] = (state, { tokens, inputs, since }) => ({
  ...state,
  phase: 'working',
  sent: state.sent + tokens,
  pending: [...state.pending, { tokens, inputs, since }],
  // A pushed step says itself where it starts, but does not open the session.
  nextRequest: inputs === undefined && state.nextRequest === 'opens' ? 'opens' : 'plain',
})

/** Only the oldest step has a deadline, because a server works on steps one after the other. */
const arrive: Rules['arrived'] = (state, { at }) => {
  const [head, ...others] = state.pending
  return head!.since === Infinity ? { ...state, pending: [{ ...head!, since: at }, ...others] } : state
}

const join: Rules['answered'] = (state, { at }) => {
  const pushedOpenings = state.pushedOpenings - 1
  return { ...state, pushedOpenings, phase: openPhase({ ...state, pushedOpenings }), lastAnswerAt: at }
}

const answer: Rules['answered'] = (state, { outputs, at }) => {
  const [head, ...pending] = state.pending
  const lastAnswer = { inputs: head!.inputs, outputs: outputs.data }
  requireFresh(state.lastAnswer, lastAnswer)
  return {
    ...state,
    phase: openPhase({ ...state, pending }),
    pending,
    outputs: [...state.outputs, outputs],
    lastAnswer,
    lastAnswerAt: at,
  }
}

/** Answers carry no number. One that repeats the last one bit by bit, although the inputs were different, is stale. */
function requireFresh(last: Answer | undefined, next: Answer): void {
  if (!last || next.outputs.byteLength === 0 || Buffer.compare(last.outputs, next.outputs) !== 0) return
  if (next.inputs && last.inputs && Buffer.compare(last.inputs, next.inputs) === 0) return
  throw new ProtocolError('An answer repeats the one to an earlier step.')
}

const take: Rules['taken'] = (state) => ({ ...state, outputs: state.outputs.slice(1) })

const rewind: Rules['rewound'] = (state, { position }) => ({
  ...state,
  sent: position,
  outputs: [],
  lastAnswer: undefined,
  nextRequest: 'rewinds',
})

const fail: Rules['broken'] = (state, { error }) => ({ ...state, phase: 'failed', failure: error })

/** A stream that ends normally while no step is pending has met the server's limit on idle time. That is no fault. */
const expireOrFail: Rules['broken'] = (state, event) => {
  const isClean = event.error instanceof ConnectionLostError && event.error.clean
  return isClean ? { ...state, phase: 'expired', failure: event.error } : fail(state, event)
}

const close: Rules['closed'] = (state, { error }) => ({ ...state, phase: 'closed', failure: error })

const alive: Rules = {
  opened: impossible,
  stepped: impossible,
  arrived: unchanged,
  answered: impossible,
  taken: impossible,
  rewound: impossible,
  broken: fail,
  closed: close,
}

/** The stream may still report its end, or an answer that had arrived before. */
const over: Rules = {
  ...alive,
  opened: unchanged,
  answered: unchanged,
  broken: unchanged,
  closed: unchanged,
}

const rules: Readonly<Record<SessionPhase, Rules>> = {
  opening: { ...alive, opened: open },
  joining: { ...alive, answered: join, broken: expireOrFail },
  ready: { ...alive, stepped: step, taken: take, rewound: rewind, broken: expireOrFail },
  working: { ...alive, stepped: step, arrived: arrive, answered: answer, taken: take },
  expired: over,
  failed: over,
  closed: over,
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
