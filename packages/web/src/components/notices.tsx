import { useEffect, useRef, type FocusEvent, type KeyboardEvent, type PointerEvent } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { noticeWords, type Notice } from '../state/notices.ts'
import { useStore } from '../store.ts'
import { Button, IconButton } from '../ui/button.tsx'
import { pressedKey } from '../ui/pressed-key.ts'
import './notices.css'

/** Id of the container of the notices, for the shortcut that leads there. */
export const NOTICES_ID = 'notices'

/** The notices, each with an undo if there is one. They stand between the chat and the composer, and cover neither. */
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

/** Announces new notices to screen readers. It is separate from the notices, which are mounted again with each route. */
export function NoticesAnnouncer() {
  const { notices } = useServices()
  const texts = useTexts()
  const list = useStore(notices)
  return (
    // Each notice is announced separately, not all of them with every new one.
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
