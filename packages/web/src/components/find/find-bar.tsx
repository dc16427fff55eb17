import { useEffect, useRef, type KeyboardEvent } from 'react'
import type { FoundPlace } from '../../app/router.ts'
import type { Message } from '../../chat/types.ts'
import { formatCount } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { IconButton } from '../../ui/button.tsx'
import { messageElementId } from '../element-ids.ts'
import { Icon } from '../../ui/icon.tsx'
import { pressedKey } from '../../ui/pressed-key.ts'
import { useFind } from './use-find.ts'
import './find-bar.css'

interface FindBarProps {
  readonly found: FoundPlace
  readonly path: readonly Message[]
  readonly onClose: () => void
}

/**
 * The bar above a chat that was opened from a search: the number of the current match, and buttons to the next and the
 * previous.
 */
export function FindBar({ found, path, onClose }: FindBarProps) {
  const texts = useTexts()
  const { count, at, step } = useFind(found, path)
  const next = useRef<HTMLButtonElement>(null)
  useEffect(() => next.current?.focus({ preventScroll: true }), [found])
  const close = (): void => {
    document.getElementById(messageElementId(found.messageId))?.focus({ preventScroll: true })
    onClose()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event)
    if (key === 'Escape') close()
    else if (key === 'ArrowDown' || (key === 'F3' && !event.shiftKey)) step(1)
    else if (key === 'ArrowUp' || key === 'F3') step(-1)
    else return
    event.preventDefault()
  }
  return (
    <div className="find-bar" role="search" aria-label={texts.findBar} onKeyDown={onKeyDown}>
      <Icon name="search" size={17} />
      <span className="find-words">{found.words}</span>
      <span className="find-place" role="status">
        {count > 0 ? texts.findPlace(formatCount(at), formatCount(count)) : texts.findNone}
      </span>
      <IconButton
        size="small"
        icon="up"
        label={texts.findPrevious}
        disabled={count < 2}
        onClick={() => step(-1)}
      />
      <IconButton
        ref={next}
        size="small"
        icon="chevron"
        label={texts.findNext}
        aria-disabled={count < 2}
        onClick={() => step(1)}
      />
      <IconButton size="small" icon="close" label={texts.findClose} onClick={close} />
    </div>
  )
}
