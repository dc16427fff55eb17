import { CurrentChatContext } from '../app/current-chat.ts'
import { useServices } from '../app/services.ts'
import { useStore } from '../state/use-store.ts'
import { PreferencesDialog } from './preferences/preferences-dialog.tsx'
import { SettingsDialog } from './settings/settings-dialog.tsx'
import { ShortcutsDialog } from './shortcuts/shortcuts-dialog.tsx'

const dialogComponents = {
  settings: SettingsDialog,
  preferences: PreferencesDialog,
  shortcuts: ShortcutsDialog,
} as const

/** The dialog that is open, if one is. */
export function Dialogs() {
  const { dialogs } = useServices()
  const open = useStore(dialogs)
  if (!open) return null
  const { name, chatId } = open
  const Dialog = dialogComponents[name]
  return (
    <CurrentChatContext value={chatId}>
      <Dialog key={name} onClose={dialogs.close} />
    </CurrentChatContext>
  )
}
