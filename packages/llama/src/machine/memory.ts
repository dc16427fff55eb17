import { totalmem } from 'node:os'

/**
 * Bytes that this process can still take without the machine swapping or its container ending it. Node counts control
 * groups and what the system would give back from its file cache; on macOS only memory that nobody uses at all, which is
 * always little.
 */
export function availableMemory(): number {
  const available = process.availableMemory()
  return process.platform === 'darwin' ? Math.max(available, totalmem() / 4) : available
}
