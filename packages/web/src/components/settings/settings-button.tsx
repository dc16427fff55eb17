import { useState } from 'react'
import { useChatSettings } from '../../app/chat-settings.ts'
import { useTexts } from '../../i18n/texts.ts'
import { IconButton } from '../button.tsx'
import { SettingsDialog } from './settings-dialog.tsx'

/** Opens the settings of the chat on the page. A mark says that they are not the model's own. */
export function SettingsButton() {
  const texts = useTexts()
  const { settings } = useChatSettings()
  const [open, setOpen] = useState(false)
  const changed = Object.keys(settings).length > 0
  return (
    <>
      <IconButton
        className={changed ? 'settings-changed' : ''}
        icon="sliders"
        label={texts.settings}
        onClick={() => setOpen(true)}
      />
      {open && <SettingsDialog onClose={() => setOpen(false)} />}
    </>
  )
}
