import { copyFile, open, readFile } from 'node:fs/promises'
import { ModelUnavailableError, greedy, type Model } from '@petals-chat/engine'
import { llamaConfigSchema, llamaModelSchema } from '../config.ts'
import { GgufFormatError } from '../gguf/byte-reader.ts'
import { parseGgufHeader } from '../gguf/gguf-header.ts'
import { readGguf } from '../gguf/read-gguf.ts'
import { createLlamaEngine } from '../llama-engine.ts'
import { GgufTokenizer } from '../tokenizer/gguf-tokenizer.ts'
import { MutantReader, type MutantReaderOptions, type ReadOutcome } from './mutant-reader.ts'

/** What became of a mutant: refused by the checks of this process, refused by llama.cpp, its process ended, or it runs. */
export type MutantOutcome = 'checked' | 'refused' | 'ended' | 'runs'

export interface MutantLoadsOptions {
  /** A good model file. */
  readonly original: string
  /** A file to write the mutants to. */
  readonly scratch: string
  /** How many mutants pass the checks of this process and are loaded. */
  readonly loads: number
  /** Returns random integers below its argument. */
  readonly random: (below: number) => number
  /** A load that takes longer is a finding. */
  readonly limitMs: number
}

/** Numbers that stand in the header's fields after the mutation. */
const numbers = [0, 1, 2, 3, 7, 8, 31, 255, 0x7f80_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

/**
 * Loads mutants of a model file as a server does: checked here, then by llama.cpp in a child process. Nothing may end this
 * process, and each failure must be an error in words. Returns the number of mutants by outcome.
 * @throws Error with the mutations if a load fails otherwise
 */
export async function loadMutants({
  original,
  scratch,
  loads,
  random,
  limitMs,
}: MutantLoadsOptions): Promise<Record<MutantOutcome, number>> {
  const outcomes: Record<MutantOutcome, number> = { checked: 0, refused: 0, ended: 0, runs: 0 }
  for await (const mutations of mutate({ original, scratch, random })) {
    const outcome = await inWords(mutations, () => outcomeOf(scratch, limitMs))
    outcomes[outcome]++
    if (outcome !== 'checked' && --loads === 0) break
  }
  return outcomes
}

export interface MutantReadsOptions
  extends Omit<MutantLoadsOptions, 'loads' | 'limitMs'>, MutantReaderOptions {
  /** How many mutants are made, those included that do not pass the checks. */
  readonly mutants: number
}

export interface MutantReads {
  readonly outcomes: Record<MutantOutcome | ReadOutcome, number>
  /** The mutations of mutants that ended a process or reached a limit. */
  readonly findings: readonly Finding[]
  /** The most memory that a process has taken, in bytes. */
  readonly mostBytes: number
}

interface Finding {
  readonly outcome: MutantOutcome | ReadOutcome
  readonly mutations: readonly Mutation[]
}

/**
 * Like `loadMutants`, but llama.cpp reads hundreds of mutants in one process, without the engine around it.
 * @throws Error with the mutations if this process can't refuse one in words
 */
export async function readMutants({
  original,
  scratch,
  mutants,
  random,
  ...limits
}: MutantReadsOptions): Promise<MutantReads> {
  using reader = new MutantReader(limits)
  const outcomes = { checked: 0, refused: 0, runs: 0, ended: 0, slow: 0, large: 0 }
  const findings: Finding[] = []
  let left = mutants
  for await (const mutations of mutate({ original, scratch, random })) {
    const outcome = await inWords(mutations, () => readOutcome(scratch, reader))
    outcomes[outcome]++
    if (outcome === 'ended' || outcome === 'slow' || outcome === 'large')
      findings.push({ outcome, mutations })
    if (--left === 0) break
  }
  return { outcomes, findings, mostBytes: reader.mostBytes }
}

async function readOutcome(path: string, reader: MutantReader): Promise<MutantOutcome | ReadOutcome> {
  try {
    const { header, info } = await readGguf(path)
    const { contextLength, kvBytesPerToken, vocabSize } = info
    new GgufTokenizer(header).encode('Hello')
    return await reader.read({ path, facts: { contextLength, kvBytesPerToken, vocabSize } })
  } catch (error) {
    if (error instanceof ModelUnavailableError || error instanceof GgufFormatError) return 'checked'
    throw error
  }
}

/** @throws Error that names the mutations if `load` throws */
async function inWords<T>(mutations: readonly Mutation[], load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new Error(`A mutant was not refused in words: ${JSON.stringify(mutations)}`, { cause })
  }
}

/** A number and the place in the file that it was written to. */
interface Mutation {
  readonly at: number
  readonly value: number
}

/** Writes mutants to the file `scratch`, one after another, without end. */
async function* mutate({
  original,
  scratch,
  random,
}: Pick<MutantLoadsOptions, 'original' | 'scratch' | 'random'>): AsyncGenerator<readonly Mutation[]> {
  await copyFile(original, scratch)
  const whole = await readFile(original)
  const header = whole.subarray(0, parseGgufHeader(whole, whole.length).dataOffset)
  const places = fieldPlaces(header)
  for (;;) {
    const mutant = Buffer.from(header)
    const mutations = Array.from({ length: 1 + random(3) }, () => ({
      at: places[random(places.length)]!,
      value: random(4) === 0 ? random(2 ** 31) : numbers[random(numbers.length)]!,
    }))
    for (const { at, value } of mutations) mutant.writeUInt32LE(value, at)
    const file = await open(scratch, 'r+')
    await file.write(mutant, 0, mutant.length, 0)
    await file.close()
    yield mutations
  }
}

/** Where numbers stand: in the metadata before the vocabulary, and in the descriptions of the tensors after it. */
function fieldPlaces(header: Buffer): number[] {
  const vocabulary = header.indexOf('tokenizer.ggml.tokens')
  const tensors = header.indexOf('token_embd.weight') - 8
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
  return [...range(24, vocabulary), ...range(tensors, header.length - 4)]
}

async function outcomeOf(path: string, limitMs: number): Promise<MutantOutcome> {
  try {
    await readGguf(path)
  } catch (error) {
    if (error instanceof ModelUnavailableError) return 'checked'
    throw error
  }
  const config = llamaConfigSchema.parse({ sequences: 1, contextLength: 64, threads: 1, maxRestarts: 0 })
  await using engine = createLlamaEngine(config, { resolveFile: async () => path })
  const spec = llamaModelSchema.parse({ id: 'mutant', engine: 'llama', source: path })
  try {
    const model = await engine.load(spec, { signal: AbortSignal.timeout(limitMs) })
    await answer(model)
    return 'runs'
  } catch (error) {
    if (error instanceof ModelUnavailableError) return /its process/.test(error.message) ? 'ended' : 'refused'
    if (error instanceof Error && error.name === 'GenerationFailedError') return 'ended'
    throw error
  }
}

async function answer(model: Model): Promise<void> {
  await using session = await model.openSession({ maxLength: 32 })
  const tokens = model.tokenizer.encode('Hello')
  if (tokens.length === 0) return
  for await (const _ of session.generate(tokens, { sampling: greedy })) if (session.tokens.length > 8) return
}
