import os from 'node:os'
import { ok } from './check.ts'
import type { Check } from './check.ts'
export const processorCheck: Check = {
  name: 'Processor',
  run: async () => ok(`${os.availableParallelism()} cores`),
}
export const gpuCheck: Check = { name: 'GPU', run: async () => ok('tbd') }
