import { useTexts } from '../../i18n/texts.ts'
import { Modal } from '../modal.tsx'
import { ShortcutList } from '../shortcuts/shortcut-list.tsx'
import { ChatTransfer } from './chat-transfer.tsx'
import { LanguageSelect } from './language-select.tsx'
import { ThemeChoice } from './theme-choice.tsx'
import './preferences.css'

/** What this reader prefers in this browser, for the whole page. Every choice takes effect at once. */
export function PreferencesDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts()
  return (
    <Modal title={texts.preferences} size="wide" onClose={onClose}>
      <div className="preferences">
        <div className="preferences-looks">
          <ThemeChoice />
          <LanguageSelect />
        </div>
        <ChatTransfer onDeleted={onClose} />
        <details className="preferences-shortcuts">
          <summary>{texts.shortcuts}</summary>
          <ShortcutList />
        </details>
      </div>
    </Modal>
  )
}
