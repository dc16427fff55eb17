import { useChatSettings, useCurrentChatId } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { IconButton } from '../../ui/button.tsx'

/** Opens the settings of the chat around it. A mark shows that they differ from the model's defaults. */
export function SettingsButton() {
  const { dialogs } = useServices()
  const texts = useTexts()
  const chatId = useCurrentChatId()
  const { settings } = useChatSettings()
  const changed = Object.keys(settings).length > 0
  return (
    <IconButton
      className={changed ? 'settings-changed' : ''}
      icon="sliders"
      label={texts.settings}
      onClick={() => dialogs.open('settings', chatId)}
    />
  )
}
