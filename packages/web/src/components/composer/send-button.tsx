import { useLayoutEffect, useRef } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../../ui/icon.tsx'
import { useServices } from '../../app/services.ts'
import type { ModelInfo } from '../../api/models.ts'
import { useStore } from '../../store.ts'

interface SendButtonProps {
  readonly running: boolean
  readonly ready: boolean
  /** Why nothing can be sent; the composer's hint shows it too. */
  readonly problem: string | undefined
  readonly onStop: () => void
  /** The Stop button has disappeared: the answer ended. `focused`: it had the keyboard focus. */
  readonly onStopGone: (focused: boolean) => void
}

/** The button that sends the draft, or stops the running answer. */
export function SendButton({ running, ready, problem, onStop, onStopGone }: SendButtonProps) {
  const texts = useTexts()
  // Two elements: a single one would already be Send when the browser performs the default action of a click on Stop.
  return running ? (
    <StopButton key="stop" onStop={onStop} onGone={onStopGone} />
  ) : (
    <button
      key="send"
      type="submit"
      className="composer-send"
      aria-label={texts.send}
      title={problem ?? texts.send}
      aria-describedby={problem && 'composer-hint'}
      disabled={!ready}
    >
      <Icon name="send" />
    </button>
  )
}

interface StopButtonProps {
  readonly onStop: () => void
  readonly onGone: (focused: boolean) => void
}

function StopButton({ onStop, onGone }: StopButtonProps) {
  const texts = useTexts()
  const button = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => {
    const element = button.current
    // The element still exists when this runs, and still has the focus if it had it.
    return () => onGone(element?.matches(':focus-visible') ?? false)
  }, [onGone])
  return (
    <button
      ref={button}
      type="button"
      className="composer-send"
      aria-label={texts.stop}
      title={texts.stopHint}
      onClick={onStop}
    >
      <Icon name="stop" />
    </button>
  )
}

/** Returns why no draft can be sent; undefined if it can. `missing`: a model that the server no longer has. */
export function useSendProblem(
  model: ModelInfo | undefined,
  missing: string | undefined,
): string | undefined {
  const { models } = useServices()
  const texts = useTexts()
  const status = useStore(models, (state) => state.status)
  if (model) return undefined
  if (missing) return texts.cantSendMissing(missing)
  if (status === 'failed') return texts.cantSendGone
  return status === 'loading' ? texts.cantSendLoading : texts.cantSendNoModels
}
