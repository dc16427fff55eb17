import { precisionName } from '@petals-chat/engine'
import type { ServerInfo } from './server-info.ts'

/** What runs the blocks. Both compute the same, but they add in another order, so that the last digits differ. */
export type Program = 'llama.cpp' | 'PyTorch'

/** `same`: answers go on as they would have; `rounding`: only the last digits differ; `other`: another type, or other weights. */
export type Likeness = 'same' | 'rounding' | 'other'

type Announced = Pick<ServerInfo, 'torchDtype' | 'quantType' | 'version'>

/** Returns number type and quantization as one text, equal for servers that compute with the same. */
export const numbersOf = ({ torchDtype, quantType = 'none' }: Announced): string =>
  `${torchDtype ?? '?'}/${quantType}`

/** Compares how two servers compute, by what they announce. */
export function likenessOf(a: Announced, b: Announced): Likeness {
  if (numbersOf(a) !== numbersOf(b)) return 'other'
  const [its, other] = [programOf(a), programOf(b)]
  return its === other || !its || !other ? 'same' : 'rounding'
}

const order: Readonly<Record<Likeness, number>> = { same: 0, rounding: 1, other: 2 }

/** Compares for sorting: servers that compute as this one come first. */
export const byLikenessTo =
  (server: Announced) =>
  (a: { readonly server: Announced }, b: { readonly server: Announced }): number =>
    order[likenessOf(a.server, server)] - order[likenessOf(b.server, server)]

/** How two servers compute, in words that show the difference, for example `F32` and `Q8_0`; undefined if there is none. */
export function differingNames(
  before: Announced,
  after: Announced,
): { readonly before: string; readonly after: string } | undefined {
  const likeness = likenessOf(before, after)
  if (likeness === 'same') return undefined
  const name =
    likeness === 'other' ? nameOf : (server: Announced) => `${nameOf(server)} (${programOf(server)})`
  return { before: name(before), after: name(after) }
}

const nameOf = ({ torchDtype, quantType }: Announced): string =>
  precisionName({ dtype: torchDtype, quantization: quantType }) ?? '?'

/** Servers without Python say so in the local part of their version. */
export function programOf({ version }: Pick<ServerInfo, 'version'>): Program | undefined {
  if (version === undefined) return undefined
  return version.includes('+petals.chat.') ? 'llama.cpp' : 'PyTorch'
}
