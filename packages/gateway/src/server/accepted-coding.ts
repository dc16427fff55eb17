/** The form of a body: compressed in advance, or unchanged. */
export type ContentCoding = 'br' | 'gzip' | 'identity'

/** Usually from the shortest body to the longest. */
const codings: readonly ContentCoding[] = ['br', 'gzip', 'identity']

/**
 * Returns the coding among `available` that the client prefers (`Accept-Encoding`, RFC 9110, section 12.5.3); of equal ones
 * the shortest. If none is acceptable, returns `identity`, even if the client refuses it.
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

/** An unchanged body is acceptable even if the header does not name it, but any named coding is preferred. */
const IDENTITY_WEIGHT = 0.0001

function readWeights(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
    const weight = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameters[0] ?? '')?.[1]
    // An invalid `q` is ignored.
    if (name) weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight))
  }
  return weights
}
