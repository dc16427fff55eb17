import { unfold } from '../../ui/reveal.ts'
import type { Place } from './find-places.ts'

/**
 * Marks matches without changing the document: as CSS highlights, or the current one as a selection if those are
 * unsupported.
 */
export function markPlaces(places: readonly Place[], current: Place | undefined): void {
  if (!('highlights' in CSS)) return selectOnly(current)
  const all = new Highlight()
  // Added one by one: a letter may match more often than a call takes arguments.
  for (const { range } of places) all.add(range)
  CSS.highlights.set('found', all)
  const present = new Highlight(...(current ? [current.range] : []))
  present.priority = 1
  CSS.highlights.set('found-here', present)
}

export function unmarkPlaces(): void {
  if (!('highlights' in CSS)) return
  CSS.highlights.delete('found')
  CSS.highlights.delete('found-here')
}

function selectOnly(place: Place | undefined): void {
  const selection = window.getSelection()
  selection?.removeAllRanges()
  if (place) selection?.addRange(place.range)
}

/** Scrolls a match into the upper half of the thread. */
export function scrollToPlace({ range }: Place): void {
  const around = range.startContainer.parentElement
  const scroller = around?.closest('.thread')
  if (!around || !scroller) return
  unfold(around)
  const { top } = range.getBoundingClientRect()
  const frame = scroller.getBoundingClientRect()
  scroller.scrollTop += top - frame.top - frame.height / 3
}
