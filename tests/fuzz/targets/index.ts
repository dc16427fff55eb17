import type { FuzzTarget } from '../fuzz.ts'
import { modelTargets } from './models.ts'
import { petalsTargets } from './petals.ts'
import { toolTargets } from './tools.ts'
import { upstreamTargets } from './upstream.ts'

/** All decoders of bytes that others can choose. */
export const targets: readonly FuzzTarget[] = [
  ...petalsTargets,
  ...modelTargets,
  ...toolTargets,
  ...upstreamTargets,
]
