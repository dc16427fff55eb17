import { availableParallelism, cpus, loadavg } from 'node:os'
import { rounded } from './statistics.ts'

/** Returns what a figure depends on besides the program. The load is the current one. */
export const describeMachine = () => ({
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  load: loadavg().map((value) => rounded(value)),
  date: new Date().toISOString().slice(0, 10),
})
