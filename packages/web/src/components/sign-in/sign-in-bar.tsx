import { SignInForm } from './sign-in-form.tsx'

/** Sign-in below a chat, in the place of the message field: the chat can be read meanwhile. */
export default function SignInBar() {
  return (
    <div className="sign-in-bar">
      <SignInForm />
    </div>
  )
}
