import { z } from 'zod'

/** `rope_scaling` of config.json, under the old and the new name of the kind. */
export const ropeScalingSchema = z
  .looseObject({
    type: z.string().optional(),
    rope_type: z.string().optional(),
    factor: z.number().positive().optional(),
    low_freq_factor: z.number().positive().optional(),
    high_freq_factor: z.number().positive().optional(),
    original_max_position_embeddings: z.number().positive().optional(),
  })
  .nullish()

type RopeScaling = z.output<typeof ropeScalingSchema>

export interface ScaledRope {
  readonly scale: number
  readonly factors: readonly number[] | undefined
}

/**
 * Returns how rotary positions are scaled.
 * @throws Error that names the kind if it is not known here: the outputs would be wrong
 */
export function scaleRope(scaling: RopeScaling, base: number, size: number): ScaledRope {
  const kind = scaling?.rope_type ?? scaling?.type ?? 'default'
  if (kind === 'default') return { scale: 1, factors: undefined }
  const factor = scaling?.factor
  if (factor === undefined) throw new Error(`its rope_scaling '${kind}' has no factor`)
  if (kind === 'linear') return { scale: 1 / factor, factors: undefined }
  if (kind === 'llama3') return { scale: 1, factors: llama3Factors({ ...scaling, factor }, base, size) }
  throw new Error(`its rope_scaling '${kind}' is not known here (known are linear and llama3)`)
}

/**
 * Llama 3's scaling (transformers, modeling_rope_utils.py): long waves are stretched by `factor`, short ones are kept, those
 * between are interpolated.
 */
function llama3Factors(
  scaling: NonNullable<RopeScaling> & { readonly factor: number },
  base: number,
  size: number,
): readonly number[] {
  const { factor, low_freq_factor: low = 1, high_freq_factor: high = 4 } = scaling
  const original = scaling.original_max_position_embeddings ?? 8192
  return Array.from({ length: size / 2 }, (_, pair) => {
    const waveLength = 2 * Math.PI * base ** ((2 * pair) / size)
    if (waveLength < original / high) return 1
    if (waveLength > original / low) return factor
    const smooth = (original / waveLength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}
