import { useTexts } from '../i18n/texts.ts'
import './chat-activity.css'

/** Says at a chat's title that an answer is being written there. */
export function ChatActivity() {
  const texts = useTexts()
  return (
    <span className="chat-activity" title={texts.writing}>
      <span className="visually-hidden">{texts.writing}</span>
    </span>
  )
}
