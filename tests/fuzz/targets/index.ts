import type { FuzzTarget } from '../fuzz.ts'
import { modelTargets } from './models.ts'
import { petalsTargets } from './petals.ts'

/** All decoders of bytes that others can choose. */
export const targets: readonly FuzzTarget[] = [...petalsTargets, ...modelTargets]
