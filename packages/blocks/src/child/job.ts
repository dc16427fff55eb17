import type { StepCommand } from '../protocol.ts'
import type { SessionCache } from './kv-pool.ts'
import type { StepItem } from './step-runner.ts'

/** A part of a job that goes through the blocks together: some tokens of some of its rows. */
export interface Slice {
  readonly item: StepItem
  /** The first of its tokens in the job. */
  readonly token: number
  /** `[rows, tokens, hidden]`, after the blocks that it has been through. */
  states: Float32Array
  /** The next block. */
  block: number
}

/** A step of a session, as far as it has been computed. */
export class Job {
  readonly command: StepCommand
  readonly cache: SessionCache
  readonly outputs: Float32Array
  isCancelled = false
  hasBegun = false
  slice: Slice | undefined
  #row = 0
  #token = 0
  readonly #hiddenSize: number

  constructor(command: StepCommand, cache: SessionCache, hiddenSize: number) {
    this.command = command
    this.cache = cache
    this.outputs = new Float32Array(command.states.length)
    this.#hiddenSize = hiddenSize
  }

  /** Tokens of all rows. */
  get size(): number {
    return this.command.tokens * this.cache.batch
  }

  get isDone(): boolean {
    return this.#row >= this.cache.batch
  }

  /** The whole step as one item. */
  get whole(): StepItem {
    const { position, tokens: count } = this.command
    return { cache: this.cache, rowFrom: 0, rowTo: this.cache.batch, position, count }
  }

  /** Begins the next slice, of at most `maxTokens` tokens. */
  begin(maxTokens: number): Slice {
    const { tokens, position, from } = this.command
    const count = Math.min(tokens - this.#token, maxTokens)
    // Short rows go together; a long row goes alone, slice by slice.
    const rows = this.#token === 0 && count === tokens ? Math.max(1, Math.floor(maxTokens / tokens)) : 1
    const rowTo = Math.min(this.cache.batch, this.#row + rows)
    const item = { cache: this.cache, rowFrom: this.#row, rowTo, position: position + this.#token, count }
    this.slice = { item, token: this.#token, states: this.#gather(item), block: from }
    return this.slice
  }

  /** Takes the outputs of the present slice, which has been through all blocks. */
  finish(): void {
    const { item, states } = this.slice!
    const size = this.#hiddenSize
    const part = item.count * size
    for (let row = item.rowFrom; row < item.rowTo; row++)
      this.outputs.set(
        states.subarray((row - item.rowFrom) * part, (row - item.rowFrom + 1) * part),
        (row * this.command.tokens + this.#token) * size,
      )
    this.slice = undefined
    this.#token += item.count
    if (this.#token < this.command.tokens) return
    this.#token = 0
    this.#row = item.rowTo
  }

  /** The deep prompts of blocks [from, to) for the present slice, `[blocks, rows, tokens, hidden]`; undefined without any. */
  prompts(from: number, to: number): Float32Array | undefined {
    const { prompts } = this.command
    const { item, token } = this.slice!
    if (!prompts || token >= prompts.length) return undefined
    const size = this.#hiddenSize
    const blocks = this.command.to - this.command.from
    const batch = prompts.values.length / (blocks * prompts.length * size)
    const rows = item.rowTo - item.rowFrom
    const result = new Float32Array((to - from) * rows * item.count * size)
    const count = Math.min(item.count, prompts.length - token)
    for (let block = from; block < to; block++)
      for (let row = 0; row < rows; row++) {
        const source = batch === 1 ? 0 : item.rowFrom + row
        const first = (((block - this.command.from) * batch + source) * prompts.length + token) * size
        const target = ((block - from) * rows + row) * item.count * size
        result.set(prompts.values.subarray(first, first + count * size), target)
      }
    return result
  }

  #gather({ rowFrom, rowTo, count }: StepItem): Float32Array {
    const size = this.#hiddenSize
    const { states, tokens } = this.command
    const part = count * size
    const result = new Float32Array((rowTo - rowFrom) * part)
    for (let row = rowFrom; row < rowTo; row++) {
      const first = (row * tokens + this.#token) * size
      result.set(states.subarray(first, first + part), (row - rowFrom) * part)
    }
    return result
  }
}
