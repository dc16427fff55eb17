import { type FormEvent, useId, useRef, useState } from 'react'
import type { ApiErrorDetails } from '../../api/errors.ts'
import { OPENID_ADDRESS } from '../../api/session.ts'
import { rememberPlace } from '../../app/sign-in-return.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import type { Texts } from '../../i18n/en.ts'
import type { SessionState } from '../../state/session-store.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { softKeyboard } from '../../ui/device.ts'
import { useSecondsUntil } from '../../ui/use-seconds-until.ts'
import './sign-in.css'

/** The ways to sign in that this server offers, and why the reader must sign in again. */
export function SignInForm() {
  const { session } = useServices()
  const texts = useTexts()
  const { ways, reason } = useStore(session)
  return (
    <div className="sign-in">
      {reason && (
        <p className="sign-in-reason" role="status">
          {reasonWords(texts, reason)}
        </p>
      )}
      {ways.openid && (
        <a className="button button-primary" href={OPENID_ADDRESS} onClick={() => rememberPlace(window)}>
          {texts.signInWith(ways.openid)}
        </a>
      )}
      {ways.openid && ways.key && <p className="sign-in-or">{texts.signInOr}</p>}
      {ways.key && <KeyForm primary={!ways.openid} />}
      {!ways.openid && !ways.key && <p role="status">{texts.signInByProxy}</p>}
    </div>
  )
}

const reasonTexts = {
  ended: 'signInEnded',
  denied: 'signInDenied',
  not_allowed: 'signInNotAllowed',
  expired: 'signInExpired',
  provider: 'signInProvider',
} as const satisfies Record<NonNullable<SessionState['reason']>, keyof Texts>

const reasonWords = (texts: Texts, reason: NonNullable<SessionState['reason']>): string =>
  texts[reasonTexts[reason]]

/** Sign-in with an API key. The key goes to the server, and stays nowhere in the page. */
function KeyForm({ primary }: { readonly primary: boolean }) {
  const { session } = useServices()
  const texts = useTexts()
  const field = useRef<HTMLInputElement>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ApiErrorDetails & { readonly retryAt?: number | undefined }>()
  const seconds = useSecondsUntil(error?.retryAt)
  const id = useId()
  const blocked = seconds !== undefined && seconds > 0
  const signIn = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (key === '' || busy || blocked) return field.current?.focus()
    setBusy(true)
    const result = await session.signIn(key)
    setBusy(false)
    if (result.done) return
    setError(withTime(result.error))
    field.current?.focus()
    field.current?.select()
  }
  return (
    <form className="sign-in-key" onSubmit={(event) => void signIn(event)}>
      <label htmlFor={id}>{texts.signInKey}</label>
      <div className="sign-in-line">
        <input
          id={id}
          ref={field}
          type="password"
          name="key"
          autoComplete="current-password"
          autoCapitalize="off"
          spellCheck={false}
          maxLength={200}
          autoFocus={primary && !softKeyboard.matches}
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-hint`}
          onChange={() => setError(undefined)}
        />
        <Button type="submit" kind={primary ? 'primary' : 'soft'} aria-disabled={busy || blocked}>
          {busy ? texts.signingIn : texts.signIn}
        </Button>
      </div>
      <p
        id={`${id}-hint`}
        className="sign-in-hint"
        role="status"
        data-problem={error !== undefined || undefined}
      >
        {error ? errorWords(texts, error) : texts.signInKeyHint}
        {blocked && <span aria-live="off"> {texts.goOnIn(seconds)}</span>}
      </p>
    </form>
  )
}

const withTime = (error: ApiErrorDetails) => ({
  ...error,
  retryAt: error.retryAfterMs === undefined ? undefined : Date.now() + error.retryAfterMs,
})

function errorWords(texts: Texts, { kind, message }: ApiErrorDetails): string {
  if (kind === 'signed-out') return texts.signInWrongKey
  if (kind === 'rate-limit' || kind === 'capacity') return texts.signInTooOften
  return kind === 'network' ? texts.errorNetwork : message || texts.errorServer
}
