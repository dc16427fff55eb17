import type { KeyboardEvent } from 'react'
import { otherSide } from '../../chat/sides.ts'
import { sides, type Side } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { pressedKey } from '../../ui/pressed-key.ts'
import { panelId, sideLetter, tabId } from '../element-ids.ts'

interface SideTabsProps {
  readonly active: Side
  readonly onChange: (side: Side) => void
}

/** The tabs that choose the visible side on narrow screens. */
export function SideTabs({ active, onChange }: SideTabsProps) {
  const texts = useTexts()
  const onKeyDown = (event: KeyboardEvent): void => {
    const target = {
      ArrowLeft: otherSide(active),
      ArrowRight: otherSide(active),
      Home: sides[0],
      End: sides[1],
    }[pressedKey(event) ?? '']
    if (target === undefined) return
    event.preventDefault()
    onChange(target)
    document.getElementById(tabId(target))?.focus()
  }
  return (
    <div className="side-tabs" role="tablist" aria-label={texts.compare} onKeyDown={onKeyDown}>
      {sides.map((side) => (
        <button
          key={side}
          type="button"
          id={tabId(side)}
          className="side-tab"
          role="tab"
          aria-selected={side === active}
          aria-controls={panelId(side)}
          tabIndex={side === active ? 0 : -1}
          onClick={() => onChange(side)}
        >
          {texts.compareSide(sideLetter(side))}
        </button>
      ))}
    </div>
  )
}
