import { useState, type ReactNode } from 'react'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { IconButton } from './button.tsx'
import { ModelSelector } from './model-selector.tsx'
import { SettingsButton } from './settings/settings-button.tsx'
import { useShortcuts } from './shortcuts/use-shortcuts.ts'
import { Sidebar } from './sidebar.tsx'
import './app-shell.css'

/** Chats at the side, the top bar, and the page's current place. */
export function AppShell({ children }: { readonly children: ReactNode }) {
  const { preferences, router } = useServices()
  const texts = useTexts()
  const open = useStore(preferences, (state) => state.sidebarOpen)
  // Each side has its own model and settings there.
  const comparing = useStore(router, (route) => route.page === 'compare')
  // On narrow screens the sidebar lies over the page, and never opens by itself.
  const [drawerOpen, setDrawerOpen] = useState(false)
  const close = (): void => {
    setDrawerOpen(false)
    preferences.change({ sidebarOpen: false })
  }
  const show = (): void => {
    setDrawerOpen(true)
    preferences.change({ sidebarOpen: true })
  }
  useShortcuts({
    show,
    toggle: () => ((isNarrow() ? drawerOpen : open) ? close() : show()),
  })
  return (
    <div
      className="app-shell"
      data-sidebar={open ? 'open' : 'closed'}
      data-drawer={drawerOpen ? 'open' : 'closed'}
    >
      <a className="skip-link" href="#message" onClick={focusMessageField}>
        {texts.skipToMessage}
      </a>
      <Sidebar onClose={close} onNavigate={() => setDrawerOpen(false)} />
      <div className="app-scrim" onClick={() => setDrawerOpen(false)} />
      <div className="app-main">
        <header className="top-bar">
          <IconButton className="top-bar-menu" icon="menu" label={texts.openSidebar} onClick={show} />
          {!comparing && <ModelSelector />}
          <span className="top-bar-space" />
          {!comparing && <SettingsButton />}
          <IconButton icon="plus" label={texts.newChat} onClick={() => router.go({ page: 'new' })} />
        </header>
        {children}
      </div>
    </div>
  )
}

/** As in `app-shell.css`. */
function isNarrow(): boolean {
  return window.matchMedia('(max-width: 52rem)').matches
}

function focusMessageField(event: { preventDefault(): void }): void {
  event.preventDefault()
  document.getElementById('message')?.focus()
}
