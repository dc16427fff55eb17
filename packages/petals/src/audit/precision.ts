import type { Span } from '../blocks/spans.ts'

/** `exact`: in float32; `rounded`: to 16 bits; `coarse`: outputs with 8 bits, which lose what is much smaller than the largest. */
export type Rounding = 'exact' | 'rounded' | 'coarse'

/** How a server computes and sends numbers. */
export interface Precision {
  /** Number type, quantization of the weights and compression, as one text. */
  readonly kind: string
  /** The quantization of its weights: servers with another one have other weights. */
  readonly weights: string
  readonly rounding: Rounding
}

/** Compressions by their numbers in hivemind: MEANSTD_16BIT and FLOAT16; greater ones have 8 bits. */
const compressions16: readonly number[] = [1, 2]

/** @param compression of its outputs, by its number in hivemind */
export function precisionOf({ server }: Pick<Span, 'server'>, compression: number): Precision {
  const { torchDtype = '?', quantType = 'none' } = server
  const isExact = torchDtype === 'float32' && quantType === 'none' && compression === 0
  const isCoarse = compression !== 0 && !compressions16.includes(compression)
  return {
    kind: `${torchDtype}/${quantType}/${compression}`,
    weights: quantType,
    rounding: isCoarse ? 'coarse' : isExact ? 'exact' : 'rounded',
  }
}
