import { useEffect, useRef, type FocusEvent, type KeyboardEvent, type PointerEvent } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { noticeWords, type Notice } from '../state/notices.ts'
import { useStore } from '../store.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { pressedKey } from '../ui/pressed-key.ts'
import './notices.css'

/** Id of the place where notices stand, for the key that leads there. */
export const NOTICES_ID = 'notices'

/** What happened, and how to take it back. Stands between the chat and the composer, and covers neither. */
export function Notices() {
  const { notices } = useServices()
  const texts = useTexts()
  const list = useStore(notices)
  const cameFrom = useRef<EventTarget | null>(null)
  useEffect(() => notices.release, [notices])
  const onFocus = ({ currentTarget, relatedTarget }: FocusEvent): void => {
    if (!currentTarget.contains(relatedTarget)) cameFrom.current = relatedTarget
    notices.hold()
  }
  const onBlur = ({ currentTarget, relatedTarget }: FocusEvent): void => {
    if (!currentTarget.contains(relatedTarget) && !currentTarget.matches(':hover')) notices.release()
  }
  const onPointerLeave = ({ currentTarget }: PointerEvent): void => {
    if (!currentTarget.contains(document.activeElement)) notices.release()
  }
  const dismiss = (notice: Notice): void => {
    const isLast = list.length === 1
    notices.dismiss(notice.id)
    if (isLast && cameFrom.current instanceof HTMLElement) cameFrom.current.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (pressedKey(event) !== 'Escape') return
    event.preventDefault()
    const newest = list.at(-1)
    if (newest) dismiss(newest)
  }
  if (list.length === 0) return null
  return (
    <div
      id={NOTICES_ID}
      className="notices"
      role="group"
      aria-label={texts.notices}
      onFocus={onFocus}
      onBlur={onBlur}
      onKeyDown={onKeyDown}
      onPointerEnter={notices.hold}
      onPointerLeave={onPointerLeave}
    >
      {list.map((notice) => (
        <NoticeView key={notice.id} notice={notice} onDismiss={() => dismiss(notice)} />
      ))}
    </div>
  )
}

/** Tells people who listen to the page what is new. Stands apart from the notices, which move with the page's places. */
export function NoticesAnnouncer() {
  const { notices } = useServices()
  const texts = useTexts()
  const list = useStore(notices)
  return (
    // Each by itself: not all of them again with every new one.
    <div className="visually-hidden" role="status" aria-atomic="false">
      {list.map((notice) => (
        <p key={notice.id}>
          {noticeWords(texts, notice)} {notice.action && texts.noticeKey}
        </p>
      ))}
    </div>
  )
}

function NoticeView({ notice, onDismiss }: { readonly notice: Notice; readonly onDismiss: () => void }) {
  const { notices } = useServices()
  const texts = useTexts()
  const { action } = notice
  return (
    <div className="notice">
      <span className="notice-text">{noticeWords(texts, notice)}</span>
      {action && (
        <Button
          kind="plain"
          onClick={() => {
            notices.dismiss(notice.id)
            action.run()
          }}
        >
          {texts[action.label]}
        </Button>
      )}
      <IconButton size="small" icon="close" label={texts.dismiss} onClick={onDismiss} />
    </div>
  )
}
