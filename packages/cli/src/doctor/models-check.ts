import { readFile } from 'node:fs/promises'
import type { ModelEntry } from '../config/schema.ts'
import { memoryNeed, type MemoryNeed } from '../models/memory-need.ts'
import { formatBytes } from '../terminal/format.ts'
import { failure, ok, warning, type Check, type CheckContext, type CheckResult } from './check.ts'

/** The memory that a model needs, if it is known. */
interface Finding {
  readonly id: string
  readonly need: MemoryNeed | undefined
}

/** Checks whether the configured models fit into the free memory. */
export const modelsCheck: Check = {
  name: 'Models',
  async run(context) {
    const own = context.config.models.filter(({ engine }) => engine !== 'upstream')
    if (own.length === 0) return ok('other servers run them: they take no memory here')
    const findings = await Promise.all(own.map((spec) => find(spec, context)))
    return describeNeeds(findings, process.availableMemory(), await has16BitArithmetic())
  },
}

async function find(spec: ModelEntry, { store }: CheckContext): Promise<Finding> {
  return { id: spec.id, need: await memoryNeed(spec, store).catch(() => undefined) }
}

export function describeNeeds(
  findings: readonly Finding[],
  free: number,
  has16Bit: boolean | undefined,
): CheckResult {
  const known = findings.flatMap(({ id, need }) => (need === undefined ? [] : [{ id, need }]))
  if (known.length === 0)
    return ok('the memory that they need is known after the download: petals-chat models pull')
  const message = known.map(({ id, need }) => `${id} takes ${formatBytes(need.bytes)}`).join(', ')
  const tooLarge = known.filter(({ need }) => need.bytes > free).map(({ id }) => id)
  const original = known.flatMap(({ id, need }) => asOriginal(id, need, has16Bit))
  const compared = `${message} of ${formatBytes(free)} of free memory`
  if (tooLarge.length > 0) {
    const advice = `There is not enough for ${tooLarge.join(', ')}: close other programs, or use a smaller model.`
    return failure(compared, [advice, ...original].join('\n'))
  }
  const all = known.reduce((sum, { need }) => sum + need.bytes, 0)
  const advice = 'They do not all fit at once: load each at its first request (preload: first or none).'
  return all > free
    ? warning(compared, [advice, ...original].join('\n'))
    : ok(compared, original.length > 0 ? original.join('\n') : undefined)
}

/** Adds the figures of chat.petals.dev's README: 16 bits if the processor supports them, else 32. */
function asOriginal(id: string, { original }: MemoryNeed, has16Bit: boolean | undefined): readonly string[] {
  if (original === undefined) return []
  const sixteen = formatBytes(original.bytes16)
  const thirtyTwo = formatBytes(2 * original.bytes16)
  const words = {
    true: `${sixteen}, in 16 bits, which this processor supports (AVX-512, AMX or ARM)`,
    false: `${thirtyTwo}, in 32 bits, because this processor has no AVX-512`,
    undefined: `${sixteen} in 16 bits, or ${thirtyTwo} in 32`,
  }[String(has16Bit) as 'true' | 'false' | 'undefined']
  return [`${id}: the LM head runs in 8 bits here; the Python client would need ${words}.`]
}

/**
 * Returns whether the processor computes with 16-bit numbers fast enough for the Python client (bfloat16 by AVX-512 or AMX,
 * or an ARM core); undefined if the system does not tell.
 */
async function has16BitArithmetic(): Promise<boolean | undefined> {
  if (process.arch === 'arm64') return true
  if (process.platform !== 'linux') return undefined
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return readFlags(text)
}

/** Reads `/proc/cpuinfo`. */
export function readFlags(cpuinfo: string): boolean | undefined {
  const flags = /^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(' ')
  return flags?.some((flag) => flag === 'avx512f' || flag === 'avx512_bf16' || flag === 'amx_bf16')
}
