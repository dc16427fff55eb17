/** How a body can be sent: compressed ahead, or as it is. */
export type ContentCoding = 'br' | 'gzip' | 'identity'

/** From the shortest to the longest, as a rule. */
const codings: readonly ContentCoding[] = ['br', 'gzip', 'identity']

/**
 * The coding among `available` that the client wants most (`Accept-Encoding`, RFC 9110, section 12.5.3), and of those
 * that it wants equally the shortest. The body as it is goes out where nothing else is left, even if it is refused.
 */
export function acceptedCoding(
  header: string | undefined,
  available: ReadonlySet<ContentCoding>,
): ContentCoding {
  const weights = readWeights(header ?? '')
  const weightOf = (coding: ContentCoding): number =>
    weights.get(coding) ?? (coding === 'identity' ? IDENTITY_WEIGHT : (weights.get('*') ?? 0))
  let best: ContentCoding = 'identity'
  for (const coding of codings.toReversed())
    if (available.has(coding) && weightOf(coding) > 0 && weightOf(coding) >= weightOf(best)) best = coding
  return best
}

/** What is not named is acceptable, and less wanted than anything that is. */
const IDENTITY_WEIGHT = 0.0001

function readWeights(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
    const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameters[0] ?? '')?.[1]
    // `q` that makes no sense: as if it were not there.
    if (name) weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight))
  }
  return weights
}
