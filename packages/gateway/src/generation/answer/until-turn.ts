import type { Claim } from '../../context.ts'
import { placeNotice } from '../../swarm/swarm-report.ts'

/**
 * Waits for a turn in a queue, and returns it. Yields what tells a client its place, whenever that changes. Who leaves the loop
 * gives the turn up.
 */
export async function* untilTurn<Turn extends AsyncDisposable, Item>(
  signal: AbortSignal | undefined,
  enter: (options: Pick<Claim, 'signal' | 'onPlace'>) => Promise<Turn>,
  write: (notice: ReturnType<typeof placeNotice>) => Item,
): AsyncGenerator<Item, Turn, undefined> {
  const left = new AbortController()
  const places: (number | undefined)[] = []
  let notify = (): void => {}
  let isSettled = false
  const turn = enter({
    signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
    onPlace: (place) => {
      places.push(place)
      notify()
    },
  })
  const settled = (): void => {
    isSettled = true
    notify()
  }
  turn.then(settled, settled)
  let isTaken = false
  try {
    while (!isSettled || places.length > 0) {
      const change = Promise.withResolvers<void>()
      notify = change.resolve
      if (places.length === 0) await change.promise
      // Only the newest place is still true.
      else yield write(placeNotice(places.splice(0).at(-1)))
    }
    const taken = await turn
    isTaken = true
    return taken
  } finally {
    if (!isTaken) await giveUp(turn, left)
  }
}

async function giveUp(turn: Promise<AsyncDisposable>, left: AbortController): Promise<void> {
  left.abort(new Error('The caller no longer waits for its turn.'))
  const taken = await turn.catch(() => undefined)
  await taken?.[Symbol.asyncDispose]()
}
