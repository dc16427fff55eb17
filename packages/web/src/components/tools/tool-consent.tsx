import { useEffect, useId, useRef } from 'react'
import { useServices } from '../../app/services.ts'
import {
  argumentsText,
  isolated,
  parseArguments,
  quotableName,
  type ToolCall,
} from '../../chat/tool-calls.ts'
import { useTexts } from '../../i18n/texts.ts'
import type { ConsentDecision } from '../../state/tool-round.ts'
import { Button } from '../../ui/button.tsx'
import { IsolatedText } from './isolated-text.tsx'

interface ToolConsentProps {
  readonly messageId: string
  readonly call: ToolCall
}

/** Asks whether a call may be sent, and shows exactly what would be sent where. */
export function ToolConsent({ messageId, call }: ToolConsentProps) {
  const { answers } = useServices()
  const texts = useTexts()
  const id = useId()
  const box = useRef<HTMLDivElement>(null)
  const { title, name, readOnly, startedAt } = call
  const server = isolated(quotableName(call.server ?? ''))
  useEffect(() => {
    // A reader who writes or does something else is told, and not interrupted.
    if (isIdle(document.activeElement)) box.current?.focus()
  }, [])
  const decide = (decision: ConsentDecision) => () => answers.decide(messageId, call.id, decision)
  const sendsNothing = Object.keys(parseArguments(call.arguments) ?? {}).length === 0
  return (
    <div
      ref={box}
      className="tool-consent"
      role="group"
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-words`}
    >
      <p id={`${id}-title`} className="tool-consent-title" dir="auto">
        <IsolatedText text={texts.toolConsent(isolated(quotableName(title || name)), server)} />
      </p>
      <div id={`${id}-words`}>
        {title && title !== name && (
          <p dir="auto">
            {texts.toolConsentFunction} <code>{quotableName(name)}</code>
          </p>
        )}
        {startedAt !== undefined && !readOnly && (
          <p className="tool-consent-warning">{texts.toolConsentAgain}</p>
        )}
        {!readOnly && <p>{texts.toolConsentWrites}</p>}
        <p dir="auto">
          <IsolatedText
            text={sendsNothing ? texts.toolConsentSendsNothing(server) : texts.toolConsentSends(server)}
          />
        </p>
        {!sendsNothing && (
          <pre className="tool-text" tabIndex={0} dir="ltr">
            {argumentsText(call)}
          </pre>
        )}
      </div>
      <div className="tool-consent-actions">
        <Button kind="primary" onClick={decide('allow')}>
          {texts.toolAllowOnce}
        </Button>
        {readOnly && <Button onClick={decide('allow-chat')}>{texts.toolAllowChat}</Button>}
        <Button onClick={decide('decline')}>{texts.toolDecline}</Button>
      </div>
    </div>
  )
}

/** The focus is nowhere, or in an empty message field. */
function isIdle(active: Element | null): boolean {
  if (active === null || active === document.body) return true
  return active instanceof HTMLTextAreaElement && active.id === 'message' && active.value === ''
}
