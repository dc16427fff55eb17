import { useRef, useState, type KeyboardEvent } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { useTexts } from '../../i18n/texts.ts'
import type { UserInput } from '../../state/conversation.ts'
import { Icon } from '../icon.tsx'
import { useFittedHeight } from './fitted-height.ts'
import './composer.css'

interface ComposerProps {
  readonly model: ModelInfo | undefined
  readonly running: boolean
  readonly onSend: (input: UserInput) => void
  readonly onStop: () => void
}

/** Where the reader writes. */
export function Composer({ model, running, onSend, onStop }: ComposerProps) {
  const texts = useTexts()
  const [text, setText] = useState('')
  const field = useRef<HTMLTextAreaElement>(null)
  useFittedHeight(field, text)
  const ready = model !== undefined && text.trim() !== '' && !running
  const send = (): void => {
    if (!ready) return
    onSend({ text: text.trim(), attachments: [] })
    setText('')
    field.current?.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    // Enter also ends the input of Chinese, Japanese and Korean words.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <div className="composer-box">
        <textarea
          id="message"
          ref={field}
          rows={1}
          autoFocus
          value={text}
          aria-label={texts.messageLabel}
          aria-describedby="composer-hint"
          placeholder={texts.messagePlaceholder(model?.name ?? '…')}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {running ? (
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
        )}
      </div>
      <p className="composer-hint" id="composer-hint">
        {texts.newLineHint}
      </p>
    </form>
  )
}
