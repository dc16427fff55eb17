import { useLayoutEffect, useRef } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { Icon } from '../../ui/icon.tsx'
import { useServices } from '../../app/services.ts'
import type { ModelInfo } from '../../api/models.ts'
import { useStore } from '../../store.ts'

interface SendButtonProps {
  readonly running: boolean
  readonly ready: boolean
  /** Why nothing can be sent; the composer's line says it too. */
  readonly problem: string | undefined
  readonly onStop: () => void
  /** Stop has gone: the answer ended. `focused`: a keyboard was on it. */
  readonly onStopGone: (focused: boolean) => void
}

/** Sends what is written, or stops what is being answered. */
export function SendButton({ running, ready, problem, onStop, onStopGone }: SendButtonProps) {
  const texts = useTexts()
  // Two elements, not one that changes: it would be Send already when the browser does what a click on it does.
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
    // The element is still there when this runs, and has the focus if it had it.
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

/** Why nothing can be sent, whatever is written; undefined where it can. `missing`: a model that the server had. */
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
