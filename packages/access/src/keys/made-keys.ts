import type { KeyRecord } from './key-record.ts'

/** Returns the keys that `maker` made, directly or through other keys, in their order. */
export function madeBy(keys: readonly KeyRecord[], maker: string): KeyRecord[] {
  const children = Map.groupBy(keys, (key) => key.madeBy)
  const found = new Set<KeyRecord>()
  const makers = [maker]
  for (const id of makers)
    for (const child of children.get(id) ?? []) {
      if (found.has(child)) continue
      found.add(child)
      makers.push(child.id)
    }
  return keys.filter((key) => found.has(key))
}

/** Returns the id of the key, made by the operator, from which a key descends: all bounds on makers are its bounds. */
export function rootOf(keys: readonly KeyRecord[], id: string): string {
  const makers = new Map(keys.map((key) => [key.id, key.madeBy]))
  let root = id
  // A file that a person has changed by hand could have a ring.
  for (let steps = 0; steps <= keys.length; steps++) {
    const maker = makers.get(root)
    if (maker === undefined) break
    root = maker
  }
  return root
}

/**
 * Returns which keys of a family need not be remembered any more: of those that have ended, the oldest ones above `max`, each
 * after the keys that it made.
 */
export function forgettable(
  family: readonly KeyRecord[],
  hasEnded: (key: KeyRecord) => boolean,
  max: number,
): string[] {
  const makers = new Set(family.filter((key) => !hasEnded(key)).map((key) => key.madeBy))
  const ended = family.filter(hasEnded)
  const forgotten: string[] = []
  const kept = new Map(ended.map((key) => [key.id, key]))
  const isMaker = (id: string): boolean => makers.has(id) || kept.values().some((key) => key.madeBy === id)
  for (const { id } of ended) {
    if (kept.size <= max) break
    if (isMaker(id)) continue
    kept.delete(id)
    forgotten.push(id)
  }
  return forgotten
}
