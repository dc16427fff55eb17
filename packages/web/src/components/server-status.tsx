import { useSyncExternalStore } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'
import { useSecondsUntil } from '../ui/use-seconds-until.ts'
import './server-status.css'

/**
 * A line that shows that the server can't be reached, and when the next attempt follows. It disappears once the server
 * is back.
 */
export function ServerStatus() {
  const { models } = useServices()
  const texts = useTexts()
  const { status, retryAt, error } = useStore(models)
  const online = useOnline()
  const seconds = useSecondsUntil(retryAt)
  // Without a sign-in, the server lists no models; the page says so elsewhere.
  const isGone = status === 'failed' && error?.kind !== 'signed-out'
  const words = !online ? texts.offline : error?.kind === 'network' ? texts.serverGone : texts.serverFailing
  return (
    <>
      {/* The countdown is not read out second by second. */}
      <div className="visually-hidden" role="status">
        {isGone && words}
      </div>
      {isGone && (
        <div className="server-status">
          <Icon name="warning" size={18} />
          <span className="server-status-words">{words}</span>
          <span className="server-status-time">
            {seconds === undefined ? texts.askingAgain : texts.askedAgainIn(Math.max(1, seconds))}
          </span>
          <Button onClick={() => void models.refresh()}>{texts.tryNow}</Button>
        </div>
      )}
    </>
  )
}

function useOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      for (const type of ['online', 'offline']) window.addEventListener(type, listener)
      return () => {
        for (const type of ['online', 'offline']) window.removeEventListener(type, listener)
      }
    },
    () => navigator.onLine,
  )
}
