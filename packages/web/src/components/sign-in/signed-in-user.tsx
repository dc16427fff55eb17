import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Icon } from '../../ui/icon.tsx'
import './signed-in-user.css'

/** Who is signed in, with the button to sign out. Nothing on a server that asks for no sign-in. */
export function SignedInUser() {
  const { notices, session } = useServices()
  const texts = useTexts()
  const { user, ways } = useStore(session)
  if (!user) return null
  const signOut = async (): Promise<void> => {
    // The proxy would sign its user in again with the next request.
    if (user.via === 'proxy' && ways.signOut) return window.location.assign(ways.signOut)
    const error = await session.signOut()
    if (error) notices.show({ text: 'signOutFailed' })
  }
  return (
    <div className="signed-in-user">
      <Icon name="user" size={18} />
      <span className="signed-in-name" title={user.name}>
        <span className="visually-hidden">{texts.signedInAs} </span>
        <bdi>{user.name}</bdi>
      </span>
      {(user.via !== 'proxy' || ways.signOut) && (
        <Button kind="plain" onClick={() => void signOut()}>
          {texts.signOut}
        </Button>
      )}
    </div>
  )
}
