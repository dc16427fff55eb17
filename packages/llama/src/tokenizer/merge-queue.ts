/** Two adjacent parts that may be merged. Parts are named by their original index. */
interface Candidate {
  readonly priority: number
  readonly left: number
  readonly right: number
  /** The length of both together: if one of them has grown since, the candidate is outdated. */
  readonly length: number
}

/**
 * Merges adjacent parts until no pair has a priority: the pair with the lowest priority number first, and the leftmost of
 * equal ones. Byte-pair encoding (priority: rank of the merge) and SentencePiece (priority: − score of the token) both use it.
 */
export function mergeParts(
  parts: readonly string[],
  priorityOf: (left: string, right: string) => number | undefined,
): string[] {
  const texts: string[] = [...parts]
  const previous = parts.map((_, index) => index - 1)
  const next = parts.map((_, index) => (index + 1 < parts.length ? index + 1 : -1))
  const queue = new CandidateQueue()

  const offer = (left: number, right: number): void => {
    if (left === -1 || right === -1) return
    const priority = priorityOf(texts[left]!, texts[right]!)
    if (priority !== undefined)
      queue.push({ priority, left, right, length: texts[left]!.length + texts[right]!.length })
  }

  for (let index = 1; index < parts.length; index++) offer(index - 1, index)
  for (let candidate = queue.pop(); candidate; candidate = queue.pop()) {
    const { left, right, length } = candidate
    const isCurrent =
      texts[left] !== '' && texts[right] !== '' && texts[left]!.length + texts[right]!.length === length
    if (!isCurrent) continue
    texts[left] += texts[right]!
    texts[right] = ''
    next[left] = next[right]!
    if (next[right] !== -1) previous[next[right]!] = left
    offer(previous[left]!, left)
    offer(left, next[left]!)
  }
  return texts.filter((text) => text !== '')
}

/** A binary heap. */
class CandidateQueue {
  readonly #heap: Candidate[] = []

  push(candidate: Candidate): void {
    const heap = this.#heap
    let index = heap.push(candidate) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(candidate, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = candidate
  }

  pop(): Candidate | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

const isBefore = (a: Candidate, b: Candidate): boolean =>
  a.priority < b.priority || (a.priority === b.priority && a.left < b.left)
