import { useTexts } from '../../i18n/texts.ts'
import { PetalMark } from '../../ui/icon.tsx'
import { SignInForm } from './sign-in-form.tsx'

/** What stands in the place of the page's parts that need the server, while the reader is not signed in. */
export default function SignInPage() {
  const texts = useTexts()
  return (
    <main className="sign-in-page" tabIndex={-1}>
      <div className="sign-in-card">
        <PetalMark size={48} />
        <h1 className="display-title">{texts.signInTitle}</h1>
        <SignInForm />
        <p className="sign-in-note">{texts.signInChatsStay}</p>
      </div>
    </main>
  )
}
