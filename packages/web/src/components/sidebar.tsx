import { useServices } from '../app/services.ts'
import { formatRoute } from '../app/router.ts'
import { useWritingChats } from '../app/writing-chats.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { IconButton } from './button.tsx'
import { ChatActivity } from './chat-activity.tsx'
import { Icon } from './icon.tsx'
import { PetalMark } from './petal-mark.tsx'
import './sidebar.css'

interface SidebarProps {
  readonly onClose: () => void
  readonly onNavigate: () => void
}

export function Sidebar({ onClose, onNavigate }: SidebarProps) {
  const { chats, models, router } = useServices()
  const texts = useTexts()
  const byId = useStore(chats, (state) => state.chats)
  const route = useStore(router)
  const hasSwarm = useStore(models, (state) => state.models.some(({ engine }) => engine === 'petals'))
  const current = route.page === 'chat' ? route.chatId : undefined
  const writing = useWritingChats()
  const sorted = [...byId.values()].sort((a, b) => b.updatedAt - a.updatedAt)
  return (
    <nav className="sidebar" aria-label={texts.chats}>
      <div className="sidebar-head">
        <PetalMark />
        <span className="sidebar-name">{texts.appName}</span>
        <IconButton icon="menu" label={texts.closeSidebar} onClick={onClose} />
      </div>
      <a className="sidebar-new" href={formatRoute({ page: 'new' })} onClick={onNavigate}>
        <Icon name="plus" size={18} />
        {texts.newChat}
      </a>
      <ul className="chat-list">
        {sorted.map((chat) => (
          <li key={chat.id}>
            <a
              className="chat-link"
              href={formatRoute({ page: 'chat', chatId: chat.id })}
              aria-current={chat.id === current ? 'page' : undefined}
              onClick={onNavigate}
            >
              {writing.has(chat.id) && <ChatActivity />}
              {chat.title || texts.untitledChat}
            </a>
          </li>
        ))}
      </ul>
      {hasSwarm && (
        <a
          className="sidebar-place"
          href={formatRoute({ page: 'swarm' })}
          aria-current={route.page === 'swarm' ? 'page' : undefined}
          onClick={onNavigate}
        >
          <Icon name="network" size={18} />
          {texts.swarm}
        </a>
      )}
    </nav>
  )
}
