import { useChatTools, useCurrentChatId } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { IconButton } from '../../ui/button.tsx'

/** Opens the tools of the chat around it; absent if the server has none. A mark shows that some are on. */
export function ToolsButton() {
  const { dialogs, tools } = useServices()
  const texts = useTexts()
  const chatId = useCurrentChatId()
  const { names } = useChatTools()
  const hasTools = useStore(tools, ({ servers }) => servers.length > 0)
  if (!hasTools && names.length === 0) return null
  return (
    <IconButton
      className={names.length > 0 ? 'settings-changed' : ''}
      icon="tool"
      label={names.length > 0 ? texts.toolsOn(names.length) : texts.tools}
      onClick={() => dialogs.open('tools', chatId)}
    />
  )
}
