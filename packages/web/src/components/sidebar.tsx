import { useServices } from '../app/services.ts'
import { formatRoute } from '../app/router.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { IconButton } from './button.tsx'
import { ChatList } from './chat-list/chat-list.tsx'
import { Icon } from './icon.tsx'
import { PetalMark } from './petal-mark.tsx'
import './sidebar.css'

interface SidebarProps {
  readonly onClose: () => void
  readonly onNavigate: () => void
}

export function Sidebar({ onClose, onNavigate }: SidebarProps) {
  const { models, router } = useServices()
  const texts = useTexts()
  const route = useStore(router)
  const hasSwarm = useStore(models, (state) => state.models.some(({ engine }) => engine === 'petals'))
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
      <ChatList onNavigate={onNavigate} />
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
