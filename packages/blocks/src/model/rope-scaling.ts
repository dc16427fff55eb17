import { z } from 'zod'

const positive = z.number().positive().optional()

/** `rope_scaling` of config.json, under the old and the new name of the kind. */
export const ropeScalingSchema = z
  .looseObject({
    type: z.string().optional(),
    rope_type: z.string().optional(),
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: positive,
    attention_factor: positive,
    beta_fast: positive,
    beta_slow: positive,
  })
  .nullish()

type RopeScaling = z.output<typeof ropeScalingSchema>

export interface ScaledRope {
  readonly scale: number
  readonly factors: readonly number[] | undefined
  readonly magnitude: number
  /** Positions that the scaling was made for; undefined if that is not known. */
  readonly positions: number | undefined
}

/** What is scaled. */
export interface UnscaledRope {
  readonly base: number
  /** Elements of each head that are rotated. */
  readonly size: number
  /** `max_position_embeddings` */
  readonly contextLength: number
}

const unscaled: ScaledRope = { scale: 1, factors: undefined, magnitude: 1, positions: undefined }

/**
 * Returns how rotary positions are scaled.
 * @throws Error that names the kind if it is not known here: the outputs would be wrong
 */
export function scaleRope(scaling: RopeScaling, rope: UnscaledRope): ScaledRope {
  const kind = scaling?.rope_type ?? scaling?.type ?? 'default'
  if (kind === 'default') return unscaled
  const factor = scaling?.factor
  if (factor === undefined) throw new Error(`its rope_scaling '${kind}' has no factor`)
  if (kind === 'linear') return { ...unscaled, scale: 1 / factor }
  if (kind === 'llama3') return { ...unscaled, factors: llama3Factors({ ...scaling, factor }, rope) }
  if (kind !== 'yarn')
    throw new Error(`its rope_scaling '${kind}' is not known here (known are linear, llama3 and yarn)`)
  const { mscale, mscale_all_dim: mscaleAllDim } = scaling as Readonly<Record<string, unknown>>
  if (mscale !== undefined || mscaleAllDim !== undefined)
    throw new Error("its rope_scaling 'yarn' has an mscale, which is not known here")
  return yarn({
    factor,
    originalLength: scaling?.original_max_position_embeddings ?? rope.contextLength,
    magnitude: scaling?.attention_factor,
    betaFast: scaling?.beta_fast,
    betaSlow: scaling?.beta_slow,
    ...rope,
  })
}

/**
 * Llama 3's scaling (transformers, modeling_rope_utils.py): long waves are stretched by `factor`, short ones are kept, those
 * between are interpolated.
 */
function llama3Factors(
  scaling: NonNullable<RopeScaling> & { readonly factor: number },
  { base, size }: UnscaledRope,
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

export interface YarnOptions extends Pick<UnscaledRope, 'base' | 'size'> {
  readonly factor: number
  /** Positions before the scaling. */
  readonly originalLength: number
  /** Default: 1 + 0.1 · ln(factor). */
  readonly magnitude?: number | undefined
  /** Pairs that turn this often within the original length are kept (32); those that turn less often than the other are stretched (1). */
  readonly betaFast?: number | undefined
  readonly betaSlow?: number | undefined
}

/**
 * YaRN (Peng et al., 2023, https://arxiv.org/abs/2309.00071): pairs that turn often are kept, those that turn seldom are stretched
 * by `factor`, with a ramp over the pairs between; and rotated values are larger, which makes the attention sharper.
 */
export function yarn({
  factor,
  originalLength,
  base,
  size,
  magnitude = factor > 1 ? 1 + 0.1 * Math.log(factor) : 1,
  betaFast = 32,
  betaSlow = 1,
}: YarnOptions): ScaledRope {
  /** The pair, as a fraction, that turns so many times within the original length. */
  const pairOf = (turns: number): number =>
    (size * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(base))
  const first = Math.max(0, Math.floor(pairOf(betaFast)))
  const last = Math.min(size - 1, Math.ceil(pairOf(betaSlow)))
  const width = Math.max(last - first, 0.001)
  const factors = Array.from({ length: size / 2 }, (_, pair) => {
    const stretched = Math.min(1, Math.max(0, (pair - first) / width))
    return 1 / (stretched / factor + 1 - stretched)
  })
  return { scale: 1, factors, magnitude, positions: Math.round(originalLength * factor) }
}
