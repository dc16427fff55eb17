import { describe, expect, it } from 'vitest'
import { ConnectionLostError, ProtocolError } from '../errors.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import {
  awaited,
  initialState,
  isOver,
  sessionPhases,
  takenOf,
  tokensDue,
  transition,
  type SessionEvent,
  type SessionPhase,
  type SessionState,
} from './server-session-state.ts'
import { deadlineOf } from './session-deadline.ts'
import type { HiddenTensor } from './step-outputs.ts'
import { StepTimes } from './step-times.ts'

const peer = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')

const outputsOf = (tokens: number, ...bytes: readonly number[]): HiddenTensor => ({
  dtype: 'float32',
  shape: [1, tokens, 2],
  data: Uint8Array.from(bytes),
})

const opened = { type: 'opened', dtype: 'bfloat16', at: 1, firstStepOpens: false } as const
const stepped = { type: 'stepped', tokens: 3, inputs: Uint8Array.of(1), since: 2 } as const
const pushed = { type: 'stepped', tokens: 3, inputs: undefined, since: Infinity } as const
const answered = { type: 'answered', outputs: outputsOf(3, 7, 8), at: 5 } as const
const failure = new Error('reset')
const broken = { type: 'broken', error: failure } as const
const cleanEnd = new ConnectionLostError('ended', { clean: true })
const closed = { type: 'closed', error: new Error('closed') } as const

const after = (events: readonly SessionEvent[], pushedOpenings = 0): SessionState =>
  events.reduce(transition, initialState(pushedOpenings, 0))

const stateIn: Readonly<Record<SessionPhase, SessionState>> = {
  opening: after([]),
  joining: after([opened], 1),
  ready: after([opened]),
  working: after([opened, pushed]),
  expired: after([opened, { type: 'broken', error: cleanEnd }]),
  failed: after([opened, stepped, broken]),
  closed: after([closed]),
}

const events: Readonly<Record<string, SessionEvent>> = {
  opened,
  stepped,
  pushed,
  arrived: { type: 'arrived', at: 4 },
  answered,
  taken: { type: 'taken' },
  rewound: { type: 'rewound', position: 0 },
  broken,
  'ended normally': { type: 'broken', error: cleanEnd },
  closed,
}

/** The phase after each event, in the order of `sessionPhases`. `throws`: the event can't happen. `same`: nothing changes. */
const table: Readonly<Record<string, readonly (SessionPhase | 'throws' | 'same')[]>> = {
  //                  opening    joining    ready      working    expired   failed    closed
  opened: /*       */ ['ready', 'throws', 'throws', 'throws', 'same', 'same', 'same'],
  stepped: /*      */ ['throws', 'throws', 'working', 'working', 'throws', 'throws', 'throws'],
  pushed: /*       */ ['throws', 'throws', 'working', 'working', 'throws', 'throws', 'throws'],
  arrived: /*      */ ['same', 'same', 'same', 'working', 'same', 'same', 'same'],
  answered: /*     */ ['throws', 'ready', 'throws', 'ready', 'same', 'same', 'same'],
  taken: /*        */ ['throws', 'throws', 'ready', 'working', 'throws', 'throws', 'throws'],
  rewound: /*      */ ['throws', 'throws', 'ready', 'throws', 'throws', 'throws', 'throws'],
  broken: /*       */ ['failed', 'failed', 'failed', 'failed', 'same', 'same', 'same'],
  'ended normally': ['failed', 'expired', 'expired', 'failed', 'same', 'same', 'same'],
  closed: /*       */ ['closed', 'closed', 'closed', 'closed', 'same', 'same', 'same'],
}

describe.each(Object.keys(events))('a session that is %s', (name) => {
  it.each(sessionPhases.map((phase, i) => [phase, table[name]![i]!] as const))(
    'while %s: %s',
    (phase, expected) => {
      const state = stateIn[phase]
      expect(state.phase).toBe(phase)
      const next = (): SessionState => transition(state, events[name]!)
      if (expected === 'throws') expect(next).toThrow(/can't be/)
      else if (expected === 'same') expect(next()).toBe(state)
      else expect(next().phase).toBe(expected)
    },
  )
})

it('a session is over when it has expired, failed or was closed, and says why', () => {
  for (const phase of sessionPhases) {
    expect(isOver(stateIn[phase])).toBe(['expired', 'failed', 'closed'].includes(phase))
    expect(stateIn[phase].failure !== undefined).toBe(isOver(stateIn[phase]))
  }
  expect(transition(stateIn.failed, closed).failure).toBe(failure)
})

it('the server has all positions that were sent; the route has those that it took', () => {
  const half = after([opened, stepped, stepped, answered])
  expect([half.phase, half.sent, takenOf(half)]).toEqual(['working', 6, 0])
  const taken = transition(half, { type: 'taken' })
  expect([taken.phase, taken.sent, takenOf(taken)]).toEqual(['working', 6, 3])
})

it('a session whose predecessors push empty steps is open after the last of them', () => {
  const joining = after([opened, { ...answered, outputs: outputsOf(0) }], 2)
  expect(joining).toMatchObject({ phase: 'joining', dtype: 'bfloat16', outputs: [] })
  expect(transition(joining, answered)).toMatchObject({ phase: 'ready', outputs: [], sent: 0 })
})

it('the next request says what the server has to know', () => {
  const opens = after([{ ...opened, firstStepOpens: true }])
  expect(opens.nextRequest).toBe('opens')
  expect(transition(opens, pushed).nextRequest).toBe('opens')
  expect(transition(opens, stepped).nextRequest).toBe('plain')
  const rewound = after([opened, stepped, answered, { type: 'rewound', position: 1 }])
  expect(rewound).toMatchObject({ nextRequest: 'rewinds', sent: 1, outputs: [] })
  expect(takenOf(rewound)).toBe(1)
  expect(transition(rewound, pushed).nextRequest).toBe('plain')
})

describe('answers', () => {
  it('have the length of the oldest step', () => {
    expect(tokensDue(stateIn.joining)).toBe(0)
    expect(tokensDue(after([opened, stepped, { ...stepped, tokens: 1 }]))).toBe(3)
    for (const phase of ['opening', 'ready', 'expired', 'closed'] as const)
      expect(() => tokensDue(stateIn[phase])).toThrow(ProtocolError)
  })

  const second = (step: Partial<typeof stepped>, outputs: HiddenTensor): SessionState =>
    after([opened, stepped, answered, { ...stepped, ...step }, { ...answered, outputs }])

  it('that repeat the last one are refused, unless the inputs were the same', () => {
    const other = { inputs: Uint8Array.of(2) }
    expect(() => second(other, answered.outputs)).toThrow(ProtocolError)
    expect(second({}, answered.outputs).outputs.length).toBe(2)
    expect(second(other, outputsOf(3, 7, 9)).outputs.length).toBe(2)
    const repeated = [opened, pushed, answered, pushed, answered]
    expect(() => after(repeated)).toThrow(ProtocolError)
  })

  it('of no tokens, and after a rewind, may repeat', () => {
    const empty = { ...stepped, tokens: 0 }
    const nothing = { ...answered, outputs: outputsOf(0) }
    expect(after([opened, empty, nothing, { ...empty, inputs: Uint8Array.of(2) }, nothing]).phase).toBe(
      'ready',
    )
    const rewound = [opened, stepped, answered, { type: 'rewound', position: 0 }] as const
    expect(after([...rewound, { ...stepped, inputs: Uint8Array.of(2) }, answered]).phase).toBe('ready')
  })
})

describe('a deadline', () => {
  it('runs for the opening, for all pushed openings together, and for the oldest step', () => {
    expect(awaited(stateIn.opening)).toBe('opening')
    expect(awaited(stateIn.ready)).toBeUndefined()
    const joining = after([opened], 2)
    expect(awaited(transition(joining, answered))).toBe(awaited(joining))
    const working = after([opened, stepped])
    expect(awaited(transition(working, stepped))).toBe(awaited(working))
    expect(awaited(transition(transition(working, stepped), answered))).not.toBe(awaited(working))
    for (const phase of ['expired', 'failed', 'closed'] as const)
      expect(awaited(stateIn[phase])).toBeUndefined()
  })

  it('of a pushed step begins when its inputs have arrived, once', () => {
    const arrived = transition(stateIn.working, { type: 'arrived', at: 4 })
    expect(awaited(stateIn.working)).toMatchObject({ since: Infinity })
    expect(awaited(arrived)).toMatchObject({ since: 4 })
    expect(transition(arrived, { type: 'arrived', at: 9 })).toBe(arrived)
  })

  it('depends on what is awaited', () => {
    const server = { state: 'online', throughput: 1, adapters: [], inferenceRps: 2 } as const
    const span = { peer, start: 0, end: 6, server }
    const options = { times: new StepTimes(), span, openTimeoutMs: 500, deadlineScale: 2 }
    const deadline = (state: SessionState) => deadlineOf(state, options)
    expect(deadline(stateIn.opening)).toEqual({ what: 'Opening a session', ms: 500 })
    expect(deadline(after([opened], 3))).toEqual({ what: 'Opening a session', ms: 1500 })
    expect(deadline(after([opened, stepped]))).toEqual({ what: 'A step of 3 tokens', ms: 16_000 })
    // The server announces 3 s for a token; six times as long is late, and one deadline has passed before.
    expect(deadline(after([opened, { ...stepped, tokens: 1 }]))).toMatchObject({ ms: 36_000 })
    for (const phase of ['ready', 'working', 'expired', 'failed', 'closed'] as const)
      expect(deadline(stateIn[phase])).toBeUndefined()
  })
})
