import { InvalidRequestError } from '../../errors.ts'
import { DEAD, DONE } from './byte-class.ts'
import { RETURN, type Program } from './program.ts'

/** Where the calls of a way return to. Equal frames are one object. */
interface Frame {
  readonly id: number
  readonly next: number
  readonly parent: Frame | undefined
}

/** A way that a text may continue: a character that has come to `node`. */
interface Way {
  readonly id: number
  readonly next: number
  readonly node: number
  readonly frame: Frame
}

/** All ways after some bytes. States are made when a text first reaches them; equal states are one object. */
export interface State {
  readonly ways: readonly Way[]
  /** The text may end here. */
  readonly accepts: boolean
  /** By byte: the state after it, null if no way continues with it, undefined if that is not known yet. */
  readonly after: (State | null | undefined)[]
}

/** About what a state without ways takes, and what each way of it, each way and each frame takes besides. */
const STATE_BYTES = 2200
const BYTES_IN_STATE = 24
const WAY_BYTES = 140
const FRAME_BYTES = 100

/** Shared states, ways and frames are forgotten beyond this. Those in use stay; only the sharing of work ends. */
const MAX_SHARED_BYTES = 10_000_000

/** Making a state takes as long as this many steps, and some more for each of its ways. */
const STATE_WORK = 150
const WORK_OF_WAY = 2

/** Places that may be passed between two characters. A rule that begins with itself would pass ever more of them. */
const MAX_PLACES = 20_000

/** The ways to go on, as they are collected from some position. */
class Closure {
  readonly ways = new Set<Way>()
  accepts = false
  readonly #visited = new Set<number>()

  /** Returns false for a place that was visited before. @throws InvalidRequestError */
  visit(position: number, frame: Frame): boolean {
    const place = frame.id * 2 ** 20 + position
    if (this.#visited.has(place)) return false
    if (this.#visited.size >= MAX_PLACES)
      throw new InvalidRequestError(
        "The grammar can't be used: a rule begins with itself, or too many ways lead on from one place. " +
          'Write repetitions with * instead, and fewer optional parts in a row.',
        { param: 'grammar' },
      )
    this.#visited.add(place)
    return true
  }
}

/** The texts of a grammar as an automaton over bytes, made as far as it is used. */
export class Automaton {
  readonly #program: Program
  readonly #states = new Map<string, State>()
  readonly #ways = new Map<string, Way>()
  readonly #frames = new Map<number, Frame>()
  readonly #bottom: Frame = { id: 0, next: RETURN, parent: undefined }
  #frameIds = 1
  #wayIds = 0
  #sharedBytes = 0
  #work = 0
  #mostWork = Infinity
  readonly start: State

  constructor(program: Program) {
    this.#program = program
    const closure = new Closure()
    this.#follow(program.start, this.#bottom, closure)
    this.start = this.#stateOf(closure)
  }

  /** Steps made so far, each about 0.1 µs. */
  get work(): number {
    return this.#work
  }

  /** About what the shared states take, in bytes. */
  get sharedBytes(): number {
    return this.#sharedBytes
  }

  /**
   * Returns what `run` returns, which may cause `most` steps.
   * @throws InvalidRequestError as soon as there are more
   */
  bounded<Result>(most: number, run: () => Result): Result {
    this.#mostWork = this.#work + most
    try {
      return run()
    } finally {
      this.#mostWork = Infinity
    }
  }

  /** Counts steps, made here or by a caller along known states. @throws InvalidRequestError beyond the bound of the run */
  count(steps: number): void {
    this.#work += steps
    if (this.#work > this.#mostWork)
      throw new InvalidRequestError(
        'The grammar of the answer (a JSON schema, a tool or a pattern) takes too much work for each token. ' +
          'Simplify it, above all nested or long repetitions of optional parts.',
        { param: 'grammar' },
      )
  }

  /** Returns the state after a byte, or null. */
  step(state: State, byte: number): State | null {
    this.count(1)
    const known = state.after[byte]
    if (known !== undefined) return known
    return (state.after[byte] = this.#make(state, byte))
  }

  /** Returns the byte with which every text continues; undefined if there are several, or the text may end. */
  forcedByte(state: State): number | undefined {
    if (state.accepts) return undefined
    const { classes } = this.#program
    const byte = classes.onlyByte(state.ways[0]!.node)
    return byte !== -1 && state.ways.every(({ node }) => classes.onlyByte(node) === byte) ? byte : undefined
  }

  /** Forgets what is shared. States no longer lead to others, so one that is still in use keeps only itself. */
  forget(): void {
    for (const { after } of [this.start, ...this.#states.values()]) after.fill(undefined)
    this.#states.clear()
    this.#ways.clear()
    this.#frames.clear()
    this.#sharedBytes = 0
  }

  #make(state: State, byte: number): State | null {
    const closure = new Closure()
    for (const { next, node, frame } of state.ways) {
      this.count(1)
      const after = this.#program.classes.next(node, byte)
      if (after === DEAD) continue
      if (after === DONE) this.#follow(next, frame, closure)
      else closure.ways.add(this.#way(next, after, frame))
    }
    return closure.accepts || closure.ways.size > 0 ? this.#stateOf(closure) : null
  }

  /** Adds the characters that may come next at a position. */
  #follow(position: number, frame: Frame, closure: Closure): void {
    const open: [position: number, frame: Frame][] = [[position, frame]]
    for (let place = open.pop(); place; place = open.pop()) {
      const [at, from] = place
      if (!closure.visit(at, from)) continue
      this.count(1)
      const { kind, target, next } = this.#program.ops[at]!
      if (kind === 'byte') closure.ways.add(this.#way(next, target, from))
      else if (kind === 'split') open.push([target, from], [next, from])
      else if (kind === 'call') open.push([target, this.#frame(next, from)])
      else if (from.parent) open.push([from.next, from.parent])
      else closure.accepts = true
    }
  }

  /** A call at the end of a rule returns to where the rule returns to. */
  #frame(next: number, parent: Frame): Frame {
    if (next === RETURN) return parent
    const key = parent.id * 2 ** 18 + next
    let frame = this.#frames.get(key)
    if (!frame) {
      this.#frames.set(key, (frame = { id: this.#frameIds++, next, parent }))
      this.#sharedBytes += FRAME_BYTES
    }
    return frame
  }

  #way(next: number, node: number, frame: Frame): Way {
    const key = `${next} ${node} ${frame.id}`
    let way = this.#ways.get(key)
    if (!way) {
      this.#ways.set(key, (way = { id: this.#wayIds++, next, node, frame }))
      this.#sharedBytes += WAY_BYTES
    }
    return way
  }

  #stateOf({ ways, accepts }: Closure): State {
    this.count(ways.size * WORK_OF_WAY)
    const sorted = [...ways].sort((left, right) => left.id - right.id)
    const key = `${accepts ? '!' : ''}${sorted.map(({ id }) => id).join(' ')}`
    return this.#states.get(key) ?? this.#newState(key, sorted, accepts)
  }

  #newState(key: string, ways: readonly Way[], accepts: boolean): State {
    this.count(STATE_WORK)
    if (this.#sharedBytes > MAX_SHARED_BYTES) this.forget()
    const state = { ways, accepts, after: new Array<undefined>(256).fill(undefined) }
    this.#states.set(key, state)
    this.#sharedBytes += STATE_BYTES + BYTES_IN_STATE * ways.length
    return state
  }
}
