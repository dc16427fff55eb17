import { type KeyboardEvent, useRef } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { useServices } from '../../app/services.ts'
import { softKeyboard } from '../../ui/device.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import type { UserInput } from '../../state/conversation.ts'
import { useStore } from '../../store.ts'
import { IconButton } from '../../ui/button.tsx'
import { pressedKey } from '../../ui/pressed-key.ts'
import { AttachmentList } from './attachment-chip.tsx'
import { AttachmentProblems } from './attachment-problems.tsx'
import { ContextGauge, useDraftTokens } from './context-gauge.tsx'
import { useFittedHeight } from '../../ui/use-fitted-height.ts'
import { PasteOffer, usePaste } from './long-paste.tsx'
import { SendButton, useSendProblem } from './send-button.tsx'
import type { Attachments } from './use-attachments.ts'
import { useEarlySend } from './use-early-send.ts'
import { useStopGuard } from './use-stop-guard.ts'
import './composer.css'

interface ComposerProps {
  readonly draftId: string
  readonly model: ModelInfo | undefined
  /** The id of the chat's model if the server no longer has it. */
  readonly missing?: string | undefined
  /** The name of the recipient, if it is not the model alone. */
  readonly recipient?: string
  /** Whether the composer takes the focus: false if the reader came for a match in the chat. */
  readonly takesFocus?: boolean
  readonly running: boolean
  /** Whether the page still reads the messages of the chat. */
  readonly loading: boolean
  /** The messages of the chat so far. */
  readonly path: readonly Message[]
  readonly attachments: Attachments
  readonly onSend: (input: UserInput) => void
  readonly onStop: () => void
}

/** The form in which the reader writes a message. */
export function Composer(props: ComposerProps) {
  const {
    draftId,
    model,
    missing,
    recipient,
    takesFocus = true,
    running,
    loading,
    path,
    attachments: files,
    onSend,
    onStop,
  } = props
  const { drafts, models } = useServices()
  const texts = useTexts()
  const stored = useStore(drafts, (all) => all.get(draftId))
  const { text, attachments } = stored ?? drafts.draft(draftId)
  const field = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const paste = usePaste(text, files.addFiles)
  const stopGuard = useStopGuard(field)
  useFittedHeight(field, text)
  const tokens = useDraftTokens(model, [text, ...attachments.map((file) => file.text)].join('\n').trim())
  const listing = useStore(models, ({ status }) => status === 'loading')
  const problem = useSendProblem(model, missing)
  const setText = (value: string): void => drafts.change(draftId, { text: value })
  const isMessage = (text.trim() !== '' || attachments.length > 0) && !running
  const waiting = isMessage && (loading || (!model && listing))
  const { due, request } = useEarlySend({
    draft: [draftId, text, ...attachments.map(({ id }) => id)].join('\n'),
    waiting,
    canSend: isMessage && model !== undefined && !loading,
    send() {
      paste.dismiss()
      files.dismissProblems()
      onSend({ text: text.trim(), attachments, tokens })
      field.current?.focus()
    },
  })
  const hint = due ? texts.sendsSoon : problem
  const onKeyDown = (event: KeyboardEvent): void => {
    if (softKeyboard.matches) return
    if (pressedKey(event) !== 'Enter' || event.shiftKey) return
    event.preventDefault()
    if (!stopGuard.wasMeant('key')) request()
  }
  const attachPasted = (): void => {
    setText(text.replace(paste.long, () => ''))
    files.addText(paste.long)
    paste.dismiss()
    field.current?.focus()
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        if (!stopGuard.wasMeant('click')) request()
      }}
    >
      <AttachmentProblems problems={files.problems} onDismiss={files.dismissProblems} />
      {paste.long && (
        <PasteOffer length={paste.long.length} onAccept={attachPasted} onDismiss={paste.dismiss} />
      )}
      <div className="composer-box">
        <AttachmentList attachments={attachments} onRemove={files.remove} onChange={files.change} />
        <div className="composer-line">
          <IconButton icon="attach" label={texts.attachFiles} onClick={() => picker.current?.click()} />
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            onChange={(event) => {
              files.addFiles(event.target.files ?? [])
              event.target.value = ''
            }}
          />
          <textarea
            id="message"
            ref={field}
            rows={1}
            dir="auto"
            autoFocus={takesFocus && !softKeyboard.matches}
            value={text}
            aria-label={texts.messageLabel}
            aria-describedby="composer-hint"
            placeholder={texts.messagePlaceholder(recipient ?? model?.name ?? '…')}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
            onPaste={paste.onPaste}
          />
          <SendButton
            running={running}
            ready={isMessage && (model !== undefined || waiting)}
            problem={hint}
            onStop={onStop}
            onStopGone={stopGuard.noteGone}
          />
        </div>
      </div>
      <div className="composer-foot">
        <span id="composer-hint" data-problem={(problem !== undefined && !due) || undefined}>
          {hint ?? texts.newLineHint}
        </span>
        {model?.contextLength !== undefined && (
          <ContextGauge path={path} draft={tokens} limit={model.contextLength} />
        )}
      </div>
    </form>
  )
}
