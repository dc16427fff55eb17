/** Values that files of models must not have at most places. */
const hostile: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  2 ** 53,
  '',
  '__proto__',
  'constructor',
  '\ud800',
  '\\p{L}+(?!\\S)',
  '[',
  'a'.repeat(5000),
  [],
  {},
  [[[[[[]]]]]],
  Array.from({ length: 2000 }, () => 1),
  { type: 'Sequence', normalizers: [], pretokenizers: [], processors: [], decoders: [] },
  { String: 'a' },
  { Regex: '' },
]

const names = ['type', 'id', 'content', 'length', '__proto__', 'toString', '0']

/** A larger value has been changed enough: what is measured is the decoder. */
const maxPlaces = 5000

interface Place {
  readonly owner: Record<string, unknown> | unknown[]
  readonly key: string
}

/**
 * Returns a copy of `base` that is changed as `bytes` say: each four of them choose a place and what happens there. Mutants of
 * bytes are seldom valid JSON; these always are.
 */
export function jsonMutant(base: unknown, bytes: Uint8Array): unknown {
  const root = { value: structuredClone(base) }
  for (let at = 0; at + 4 <= Math.min(bytes.byteLength, 32); at += 4) {
    const places = placesIn(root)
    if (places.length > maxPlaces) break
    const place = places[(bytes[at]! * 256 + bytes[at + 1]!) % places.length]!
    change(place, bytes[at + 2]!, bytes[at + 3]!, places)
  }
  return root.value
}

function placesIn(owner: unknown): Place[] {
  if (typeof owner !== 'object' || owner === null) return []
  return Object.entries(owner).flatMap(([key, value]) => [
    { owner: owner as Place['owner'], key },
    ...placesIn(value),
  ])
}

function change({ owner, key }: Place, kind: number, choice: number, places: readonly Place[]): void {
  const target = owner as Record<string, unknown>
  const other = places[(choice * 31) % places.length]!
  const copy = (value: unknown): unknown => structuredClone(value)
  switch (kind % 6) {
    case 0:
    case 1:
      target[key] = copy(hostile[choice % hostile.length])
      return
    case 2:
      target[key] = copy((other.owner as Record<string, unknown>)[other.key])
      return
    case 3:
      if (Array.isArray(owner)) owner.splice(Number(key), 1)
      else if (key !== 'value') delete target[key]
      return
    case 4:
      if (Array.isArray(owner)) owner.push(...Array.from({ length: choice % 40 }, () => copy(owner[0])))
      else define(target, names[choice % names.length]!, copy(target[key]))
      return
    default:
      if (typeof target[key] === 'number') target[key] *= choice - 128
      else if (typeof target[key] === 'string') target[key] = target[key].slice(0, 1000).repeat(choice % 32)
  }
}

/** An assignment to `__proto__` would make no property. */
const define = (target: object, name: string, value: unknown): void =>
  void Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
