import { useChatTools, useCurrentChatId } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { findTool } from '../../state/tools-store.ts'
import { useStore } from '../../store.ts'
import { IconButton } from '../../ui/button.tsx'

/** Opens the tools of the chat around it; absent if the server has none. A mark shows that some are on. */
export function ToolsButton() {
  const { dialogs, tools } = useServices()
  const texts = useTexts()
  const chatId = useCurrentChatId()
  const { names } = useChatTools()
  const { servers, status } = useStore(tools)
  if (servers.length === 0 && names.length === 0) return null
  const missing = status === 'ready' ? names.filter((name) => !findTool(servers, name)) : []
  const words = [
    names.length > 0 ? texts.toolsOn(names.length) : texts.tools,
    ...missing.map((name) => texts.toolMissing(name)),
  ]
  return (
    <IconButton
      className={names.length > 0 ? 'settings-changed' : ''}
      data-problem={missing.length > 0 || undefined}
      icon="tool"
      label={words.join('. ')}
      onClick={() => dialogs.open('tools', chatId)}
    />
  )
}
