import { InvalidRequestError } from '../../errors.ts'
import { DEAD, DONE } from './byte-class.ts'
import { RETURN, type Program } from './program.ts'

/** Where the calls of a way return to. Equal frames are one object. */
class Frame {
  readonly id: number
  readonly next: number
  readonly parent: Frame | undefined
  readonly children = new Map<number, Frame>()

  constructor(id: number, next: number, parent: Frame | undefined) {
    this.id = id
    this.next = next
    this.parent = parent
  }
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

/** Shared states and frames are forgotten beyond these numbers. Those in use stay; only the sharing of work ends. */
const MAX_STATES = 4000
const MAX_FRAMES = 100_000

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
  readonly #bottom = new Frame(0, RETURN, undefined)
  #frameIds = 1
  #sharedFrames = 0
  #wayIds = 0
  #work = 0
  readonly start: State

  constructor(program: Program) {
    this.#program = program
    const closure = new Closure()
    this.#follow(program.start, this.#bottom, closure)
    this.start = this.#stateOf(closure)
  }

  /** Steps made so far, each about 0.1 µs: what a caller bounds. */
  get work(): number {
    return this.#work
  }

  /** Counts steps that a caller has made along known states. */
  count(steps: number): void {
    this.#work += steps
  }

  /** Returns the state after a byte, or null. */
  step(state: State, byte: number): State | null {
    this.#work++
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

  /** Forgets what was shared, if it has become much. */
  trim(): void {
    if (this.#states.size > MAX_STATES) {
      this.#states.clear()
      this.start.after.fill(undefined)
    }
    if (this.#sharedFrames > MAX_FRAMES) {
      this.#bottom.children.clear()
      this.#ways.clear()
      this.#sharedFrames = 0
    }
  }

  #make(state: State, byte: number): State | null {
    const closure = new Closure()
    for (const { next, node, frame } of state.ways) {
      this.#work++
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
      this.#work++
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
    const known = parent.children.get(next)
    if (known) return known
    const frame = new Frame(this.#frameIds++, next, parent)
    this.#sharedFrames++
    parent.children.set(next, frame)
    return frame
  }

  #way(next: number, node: number, frame: Frame): Way {
    const key = `${next} ${node} ${frame.id}`
    let way = this.#ways.get(key)
    if (!way) this.#ways.set(key, (way = { id: this.#wayIds++, next, node, frame }))
    return way
  }

  #stateOf({ ways, accepts }: Closure): State {
    const sorted = [...ways].sort((left, right) => left.id - right.id)
    const key = `${accepts ? '!' : ''}${sorted.map(({ id }) => id).join(' ')}`
    let state = this.#states.get(key)
    if (!state)
      this.#states.set(
        key,
        (state = { ways: sorted, accepts, after: new Array<undefined>(256).fill(undefined) }),
      )
    return state
  }
}
