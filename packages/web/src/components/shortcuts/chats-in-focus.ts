import type { Services } from '../../app/services.ts'
import { sides, type Side } from '../../chat/types.ts'
import { panelId } from '../compare/side-names.ts'

/**
 * Ids of the chats that a shortcut is about: the page's; of a comparison the side that has the focus, else both, what
 * is seen first.
 */
export function chatsInFocus({ comparison, router }: Services): readonly string[] {
  const route = router.get()
  if (route.page === 'chat') return [route.chatId]
  if (route.page !== 'compare') return []
  const focused = sides.filter((side) => panel(side)?.contains(document.activeElement))
  const shown = focused.length > 0 ? focused : sides.toSorted((a, b) => rank(a) - rank(b))
  return shown.flatMap((side) => comparison.side(side)?.id ?? [])
}

function panel(side: Side): HTMLElement | null {
  return document.getElementById(panelId(side))
}

/** On a phone one side is seen at a time. */
function rank(side: Side): number {
  return panel(side)?.hidden ? 1 : 0
}
