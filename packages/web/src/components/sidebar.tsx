import { useServices } from '../app/services.ts'
import { formatRoute } from '../app/router.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { IconButton } from '../ui/button.tsx'
import { ChatList } from './chat-list/chat-list.tsx'
import { Icon, PetalMark } from '../ui/icon.tsx'
import { shortcutHint } from './shortcuts/key-words.ts'
import { SignedInUser } from './sign-in/signed-in-user.tsx'
import './sidebar.css'

interface SidebarProps {
  readonly onClose: () => void
  readonly onNavigate: () => void
  /** Whether the sidebar is a drawer over the page. */
  readonly isDrawer: boolean
}

/** Id of the close button, which takes the focus when the drawer opens. */
export const SIDEBAR_CLOSE_ID = 'close-sidebar'

export function Sidebar({ onClose, onNavigate, isDrawer }: SidebarProps) {
  const { dialogs, models, router } = useServices()
  const texts = useTexts()
  const route = useStore(router)
  const hasSwarm = useStore(models, (state) => state.models.some(({ engine }) => engine === 'petals'))
  return (
    <nav className="sidebar" aria-label={texts.chats}>
      <div className="sidebar-head">
        <PetalMark />
        <span className="sidebar-name">{texts.appName}</span>
        <IconButton
          id={SIDEBAR_CLOSE_ID}
          icon={isDrawer ? 'close' : 'menu'}
          label={texts.closeSidebar}
          onClick={onClose}
        />
      </div>
      <a
        className="sidebar-new"
        href={formatRoute({ page: 'new' })}
        title={shortcutHint('new-chat', texts)}
        onClick={onNavigate}
      >
        <Icon name="plus" size={18} />
        {texts.newChat}
      </a>
      <ChatList onNavigate={onNavigate} />
      <a
        className="sidebar-place"
        href={formatRoute({ page: 'compare' })}
        aria-current={route.page === 'compare' ? 'page' : undefined}
        onClick={onNavigate}
      >
        <Icon name="compare" size={18} />
        {texts.compare}
      </a>
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
      <button type="button" className="sidebar-place" onClick={() => dialogs.open('preferences')}>
        <Icon name="gear" size={18} />
        {texts.preferences}
      </button>
      <SignedInUser />
    </nav>
  )
}
