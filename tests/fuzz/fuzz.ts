import { mutate, type Random } from './mutate.ts'

/** A decoder of bytes that others can choose. */
export interface FuzzTarget {
  readonly name: string
  /** Honest inputs, of which mutants are made. */
  readonly seeds: readonly Uint8Array[]
  /** Decodes the bytes, or refuses them with an error of one of the classes in `refusals`. */
  run(bytes: Uint8Array): void
  readonly refusals: readonly (abstract new (...args: never[]) => Error)[]
}

/** An input that a decoder did not survive well. */
export interface Finding {
  readonly input: Uint8Array
  readonly problem: string
}

export interface FuzzReport {
  readonly runs: number
  readonly findings: readonly Finding[]
  /** Inputs that led to an outcome that no input before had. */
  readonly discovered: readonly Uint8Array[]
  /** The longest time of one input, milliseconds, and the most memory that one took, bytes. */
  readonly slowestMs: number
  readonly largestBytes: number
}

export interface FuzzOptions {
  /** Inputs of earlier runs that are run first, and mutated too. */
  readonly corpus: readonly Uint8Array[]
  readonly random: Random
  /** Asked after each input. */
  readonly isOver: (runs: number) => boolean
  /** Limit on the time of one input. Left out where other work shares the machine. */
  readonly maxMs?: number
}

const maxMemoryBytes = 64 * 2 ** 20
const maxFindings = 20
/** A slow input is measured again: perhaps the machine was busy, or memory was being freed. */
const repeats = 3

/** Runs the corpus and then mutants of everything that has led to a new outcome. */
export function fuzz(
  target: FuzzTarget,
  { corpus, random, isOver, maxMs = Infinity }: FuzzOptions,
): FuzzReport {
  const pool = [...target.seeds, ...corpus]
  const outcomes = new Set<string>()
  const findings: Finding[] = []
  const discovered: Uint8Array[] = []
  const most = { ms: 0, bytes: 0 }
  let runs = 0
  const tryOne = (input: Uint8Array, isNew: boolean): void => {
    const { outcome, problem, ms, bytes } = observe(target, input, maxMs)
    runs++
    most.ms = Math.max(most.ms, ms)
    most.bytes = Math.max(most.bytes, bytes)
    if (problem !== undefined) findings.push({ input, problem })
    if (outcomes.has(outcome)) return
    outcomes.add(outcome)
    if (!isNew) return
    discovered.push(input)
    pool.push(input)
  }
  for (const input of pool.slice()) tryOne(input, false)
  while (!isOver(runs) && findings.length < maxFindings) {
    tryOne(mutate(pool[random(pool.length)]!, pool[random(pool.length)]!, random), true)
  }
  return { runs, findings, discovered, slowestMs: most.ms, largestBytes: most.bytes }
}

interface Observation {
  /** What happened, the same for inputs that took the same way through the decoder as far as can be seen. */
  readonly outcome: string
  readonly problem: string | undefined
  readonly ms: number
  readonly bytes: number
}

function observe(target: FuzzTarget, input: Uint8Array, maxMs: number): Observation {
  const before = usedBytes()
  const first = timed(target, input)
  const { error } = first
  let { ms } = first
  const bytes = usedBytes() - before
  for (let i = 0; i < repeats && ms > maxMs; i++) ms = Math.min(ms, timed(target, input).ms)
  const isRefusal = error === undefined || target.refusals.some((kind) => error instanceof kind)
  const problem = isRefusal ? tooMuch(ms, bytes, maxMs) : `${String(error)}\n${(error as Error).stack}`
  return { outcome: error === undefined ? 'decoded' : signatureOf(error), problem, ms, bytes }
}

function timed(target: FuzzTarget, input: Uint8Array): { readonly ms: number; readonly error: unknown } {
  const startedAt = performance.now()
  let error: unknown
  try {
    target.run(input)
  } catch (thrown) {
    error = thrown
  }
  return { ms: performance.now() - startedAt, error }
}

function tooMuch(ms: number, bytes: number, maxMs: number): string | undefined {
  if (ms > maxMs) return `It took ${Math.round(ms)} ms.`
  return bytes > maxMemoryBytes ? `It took ${Math.round(bytes / 2 ** 20)} MiB.` : undefined
}

/** The text of an error without the numbers and quotations in it, and where it was thrown. */
function signatureOf(error: unknown): string {
  const { message = String(error), stack = '' } = error as Partial<Error>
  const at = stack.split('\n').find((line) => /^\s+at /.test(line)) ?? ''
  return `${message.replaceAll(/\d+|'[^']*'/g, '#')}${at}`
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
