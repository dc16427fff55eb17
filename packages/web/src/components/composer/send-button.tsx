import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../icon.tsx'

interface SendButtonProps {
  readonly running: boolean
  readonly ready: boolean
  readonly onStop: () => void
}

/** Sends what is written, or stops what is being answered. */
export function SendButton({ running, ready, onStop }: SendButtonProps) {
  const texts = useTexts()
  return running ? (
    <button
      type="button"
      className="composer-send"
      aria-label={texts.stop}
      title={texts.stopHint}
      onClick={onStop}
    >
      <Icon name="stop" />
    </button>
  ) : (
    <button
      type="submit"
      className="composer-send"
      aria-label={texts.send}
      title={texts.send}
      disabled={!ready}
    >
      <Icon name="send" />
    </button>
  )
}
