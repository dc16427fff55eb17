import { programOf } from '../blocks/numbers.ts'
import type { Span } from '../blocks/spans.ts'

/** `exact`: in float32; `rounded`: to 16 bits; `coarse`: outputs with 8 bits, which lose what is much smaller than the largest. */
export type Rounding = 'exact' | 'rounded' | 'coarse'

/** How a server computes and sends numbers. */
export interface Precision {
  /**
   * Number type, quantization of the weights, compression and program, as one text: one of few, whatever the server announces.
   * llama.cpp keeps keys and values with 16 bits.
   */
  readonly kind: string
  /** Both number type and quantization are known. */
  readonly isKnown: boolean
  /** The quantization of its weights: servers with another one have other weights. */
  readonly weights: string
  /** Also servers with the same quantization may have other weights. */
  readonly isMix: boolean
  readonly rounding: Rounding
}

/** What a server can announce. Any other text may be an attempt to be compared with none but accomplices. */
const dtypes: readonly string[] = ['float32', 'float16', 'bfloat16']
const quantizations: readonly string[] = ['none', 'int8', 'nf4', 'q8_0']
/** Most of the weights are of this type of llama.cpp, and the others of any: two such servers may have different ones. */
const mixes: readonly string[] =
  'q4_0 q4_1 q5_0 q5_1 q2_k q3_k q4_k q5_k q6_k iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq3_xxs iq3_s iq4_nl iq4_xs tq1_0 tq2_0 mxfp4'.split(
    ' ',
  )

/** Compressions by their numbers in hivemind: MEANSTD_16BIT and FLOAT16; greater ones have 8 bits. */
const compressions16: readonly number[] = [1, 2]

/**
 * Unknown number types count as 16 bits, and unknown quantizations as none.
 * @param compression of its outputs, by its number in hivemind
 */
export function precisionOf({ server }: Pick<Span, 'server'>, compression: number): Precision {
  const { torchDtype = '?', quantType = 'none' } = server
  const dtype = dtypes.includes(torchDtype) ? torchDtype : 'other'
  const isMix = mixes.includes(quantType)
  const weights = isMix || quantizations.includes(quantType) ? quantType : 'none'
  const isKnown = dtype === torchDtype && weights === quantType
  const isExact = isKnown && dtype === 'float32' && weights === 'none' && compression === 0
  const isCoarse = compression !== 0 && !compressions16.includes(compression)
  return {
    kind: `${isKnown ? dtype : 'other'}/${weights}/${compression}/${programOf(server) ?? '?'}`,
    isKnown,
    weights,
    isMix,
    rounding: isCoarse ? 'coarse' : isExact ? 'exact' : 'rounded',
  }
}
