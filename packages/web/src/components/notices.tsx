import { useEffect } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import type { Notice } from '../state/notices.ts'
import { useStore } from '../state/use-store.ts'
import { Button, IconButton } from './button.tsx'
import './notices.css'

/** Long enough to read and to reach the button (WCAG 2.2.1): the pointer or the focus on it stops the clock. */
const SHOWN_MS = 10_000

export function Notices() {
  const { notices } = useServices()
  const list = useStore(notices)
  return (
    <div className="notices" role="status">
      {list.map((notice) => (
        <NoticeView key={notice.id} notice={notice} onDismiss={() => notices.dismiss(notice.id)} />
      ))}
    </div>
  )
}

function NoticeView({ notice, onDismiss }: { readonly notice: Notice; readonly onDismiss: () => void }) {
  const texts = useTexts()
  useEffect(() => {
    const timer = setTimeout(onDismiss, SHOWN_MS)
    return () => clearTimeout(timer)
    // The clock starts once per notice.
  }, [notice.id])
  const { action } = notice
  return (
    <div className="notice">
      <span className="notice-text">{texts[notice.text]}</span>
      {action && (
        <Button
          kind="plain"
          onClick={() => {
            action.run()
            onDismiss()
          }}
        >
          {texts[action.label]}
        </Button>
      )}
      <IconButton size="small" icon="close" label={texts.closeDialog} onClick={onDismiss} />
    </div>
  )
}
