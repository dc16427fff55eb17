import { useEffect, useMemo, useRef, useState } from 'react'
import { matcher, searchedText, wordsOf } from '../../chat/search-chats.ts'
import type { FoundPlace } from '../../app/router.ts'
import type { Message } from '../../chat/types.ts'
import { messageElementId } from '../element-ids.ts'
import { findPlaces, type Place } from './find-places.ts'
import { markPlaces, scrollToPlace, unmarkPlaces } from './mark-places.ts'

export interface Find {
  readonly count: number
  /** Number of the current match, from 1; 0 if there is none. */
  readonly at: number
  step(by: 1 | -1): void
}

type Spot = Pick<Place, 'messageId' | 'index'>

/** Messages that come near the viewport are rendered again, which moves the match for this time. */
const SETTLE_MS = 1500
const REDRAW_MS = 60
/** The pause before the next search, as a multiple of the last one's duration, while an answer is written below. */
const PAUSE_PER_COST = 10

/** Finds the words in the shown messages, marks them, and moves between the matches. */
export function useFind({ words, messageId }: FoundPlace, path: readonly Message[]): Find {
  const [places, setPlaces] = useState<readonly Place[]>([])
  const [spot, setSpot] = useState<Spot>({ messageId, index: 0 })
  const goneAt = useRef(performance.now())
  const shown = useMemo(() => wordsOf(words), [words])
  const messages = path.map(({ id, status }) => `${id} ${status}`).join(' ')
  useEffect(() => {
    goneAt.current = performance.now()
    setSpot({ messageId, index: 0 })
  }, [words, messageId])
  useEffect(() => {
    const matches = matcher(words)
    const matching = path.filter((message) => matches(searchedText(message))).map(({ id }) => id)
    const look = (): void =>
      setPlaces(
        matching.flatMap((id) => {
          const element = document.getElementById(messageElementId(id))
          return element ? findPlaces(element, id, shown) : []
        }),
      )
    look()
    return onRedraw(look)
    // Other branches have other messages; a running answer is searched as it is rendered.
  }, [words, shown, messages])
  const at = indexOf(places, spot)
  useEffect(() => {
    const place = places[at]
    markPlaces(places, place)
    if (place && performance.now() - goneAt.current < SETTLE_MS) scrollToPlace(place)
  }, [places, at])
  useEffect(() => unmarkPlaces, [])
  return {
    count: places.length,
    at: at + 1,
    step(by) {
      const next = places[(at + by + places.length) % places.length]
      if (!next) return
      goneAt.current = performance.now()
      setSpot(next)
    },
  }
}

/** Returns the index of a spot; the nearest match of its message if its rendering has changed, else the first of all. */
function indexOf(places: readonly Place[], { messageId, index }: Spot): number {
  const first = places.findIndex((place) => place.messageId === messageId)
  if (first < 0) return places.length > 0 ? 0 : -1
  const inMessage = places.filter((place) => place.messageId === messageId).length
  return first + Math.min(index, inMessage - 1)
}

/** Calls back soon after the messages have been rendered again; later if a call takes longer. */
function onRedraw(run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let costMs = 0
  const observer = new MutationObserver(() => {
    timer ??= setTimeout(
      () => {
        timer = undefined
        const begin = performance.now()
        run()
        costMs = performance.now() - begin
      },
      REDRAW_MS + costMs * PAUSE_PER_COST,
    )
  })
  const thread = document.querySelector('.thread')
  if (thread) observer.observe(thread, { subtree: true, childList: true, characterData: true })
  return () => {
    clearTimeout(timer)
    observer.disconnect()
  }
}
