import type { ReactNode } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { IconButton } from '../ui/button.tsx'
import { ModelSelector } from './model-selector.tsx'
import { ServerStatus } from './server-status.tsx'
import { SettingsButton } from './settings/settings-button.tsx'
import { useShortcuts } from './shortcuts/use-shortcuts.ts'
import { ToolsButton } from './tools/tools-button.tsx'
import { Sidebar } from './sidebar.tsx'
import { useSidebar } from './use-sidebar.ts'
import './app-shell.css'

/** The sidebar with the chats, the top bar, and the current route. */
export function AppShell({ children }: { readonly children: ReactNode }) {
  const { router } = useServices()
  const texts = useTexts()
  // In a comparison, each side has its own model and settings.
  const comparing = useStore(router, (route) => route.page === 'compare')
  const sidebar = useSidebar()
  useShortcuts(sidebar)
  return (
    <div
      className="app-shell"
      data-sidebar={sidebar.open ? 'open' : 'closed'}
      data-drawer={sidebar.drawerOpen ? 'open' : 'closed'}
    >
      <a className="skip-link" href="#message" onClick={focusMessageField} inert={sidebar.drawerOpen}>
        {texts.skipToMessage}
      </a>
      <Sidebar onClose={sidebar.close} onNavigate={sidebar.leave} isDrawer={sidebar.drawerOpen} />
      <div className="app-scrim" onClick={sidebar.close} />
      <div className="app-main" inert={sidebar.drawerOpen}>
        <header className="top-bar">
          <IconButton
            ref={sidebar.button}
            className="top-bar-menu"
            icon="menu"
            label={texts.openSidebar}
            aria-expanded={sidebar.drawerOpen}
            onClick={() => sidebar.show()}
          />
          {!comparing && <ModelSelector />}
          <span className="top-bar-space" />
          {!comparing && <ToolsButton />}
          {!comparing && <SettingsButton />}
          <IconButton icon="plus" label={texts.newChat} onClick={() => router.go({ page: 'new' })} />
        </header>
        <ServerStatus />
        {children}
      </div>
    </div>
  )
}

function focusMessageField(event: { preventDefault(): void }): void {
  event.preventDefault()
  document.getElementById('message')?.focus()
}
