import { readFile } from 'node:fs/promises'

/**
 * Whether the processor computes with 16-bit numbers as fast as the Python client needs them (bfloat16 by AVX-512 or AMX, or an
 * ARM core); undefined where the system does not say.
 */
export async function has16BitArithmetic(): Promise<boolean | undefined> {
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
