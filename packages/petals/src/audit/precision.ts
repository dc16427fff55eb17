import type { Span } from '../blocks/spans.ts'

/** `exact`: in float32; `rounded`: to 16 bits; `coarse`: outputs with 8 bits, which lose what is much smaller than the largest. */
export type Rounding = 'exact' | 'rounded' | 'coarse'

/** How a server computes and sends numbers. */
export interface Precision {
  /** Number type, quantization of the weights and compression, as one text: one of few, whatever the server announces. */
  readonly kind: string
  /** Both number type and quantization are known. */
  readonly isKnown: boolean
  /** The quantization of its weights: servers with another one have other weights. */
  readonly weights: string
  readonly rounding: Rounding
}

/** What a Petals server can announce. Any other text may be an attempt to be compared with none but accomplices. */
const dtypes: readonly string[] = ['float32', 'float16', 'bfloat16']
const quantizations: readonly string[] = ['none', 'int8', 'nf4']

/** Compressions by their numbers in hivemind: MEANSTD_16BIT and FLOAT16; greater ones have 8 bits. */
const compressions16: readonly number[] = [1, 2]

/**
 * Unknown number types count as 16 bits, and unknown quantizations as none.
 * @param compression of its outputs, by its number in hivemind
 */
export function precisionOf({ server }: Pick<Span, 'server'>, compression: number): Precision {
  const { torchDtype = '?', quantType = 'none' } = server
  const dtype = dtypes.includes(torchDtype) ? torchDtype : 'other'
  const weights = quantizations.includes(quantType) ? quantType : 'none'
  const isKnown = dtype === torchDtype && weights === quantType
  const isExact = isKnown && dtype === 'float32' && weights === 'none' && compression === 0
  const isCoarse = compression !== 0 && !compressions16.includes(compression)
  return {
    kind: `${isKnown ? dtype : 'other'}/${weights}/${compression}`,
    isKnown,
    weights,
    rounding: isCoarse ? 'coarse' : isExact ? 'exact' : 'rounded',
  }
}
