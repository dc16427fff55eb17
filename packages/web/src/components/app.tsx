import { lazy, Suspense } from 'react'
import { AppShell } from './app-shell.tsx'
import { ChatPage } from './chat-page.tsx'
import { LinkConfirmation } from './link-confirmation.tsx'
import { NoticesAnnouncer } from './notices.tsx'
import { TextsContext } from '../i18n/texts.ts'
import { useStore } from '../store.ts'
import { DocumentTitle } from './document-title.ts'
import type { Route } from '../app/router.ts'
import { useServices } from '../app/services.ts'
import { CurrentChatContext } from '../app/current-chat.ts'
import { PreferencesDialog } from './preferences/preferences-dialog.tsx'
import { SettingsDialog } from './settings/settings-dialog.tsx'
import { ShortcutsDialog } from './shortcuts/shortcut-list.tsx'

const ComparePage = lazy(() => import('./compare/compare-page.tsx'))
/** Most readers never open it. */
const ToolsDialog = lazy(() => import('./tools/tools-dialog.tsx'))
const SwarmPage = lazy(() => import('./swarm/swarm-page.tsx'))
const SignInPage = lazy(() => import('./sign-in/sign-in-page.tsx'))

/** The whole page: the current route in the chosen language, with dialogs over it. */
export function App() {
  const { language, router } = useServices()
  const texts = useStore(language, (state) => state.texts)
  const route = useStore(router)
  return (
    <TextsContext value={texts}>
      <LinkConfirmation>
        <AppShell>
          <Suspense>
            <Place route={route} />
          </Suspense>
        </AppShell>
        <DocumentTitle />
        <Dialogs />
        <NoticesAnnouncer />
      </LinkConfirmation>
    </TextsContext>
  )
}

function Place({ route }: { readonly route: Route }) {
  const { session } = useServices()
  const signedOut = useStore(session, ({ status }) => status === 'signed-out')
  // Chats are in this browser, and can be read.
  if (signedOut && route.page !== 'chat') return <SignInPage />
  switch (route.page) {
    case 'swarm':
      return <SwarmPage />
    case 'compare':
      return <ComparePage />
    case 'chat':
      return <ChatPage key={route.chatId} chatId={route.chatId} found={route.found} />
    case 'new':
      return <ChatPage key="new" chatId={undefined} found={undefined} />
  }
}

const dialogComponents = {
  settings: SettingsDialog,
  tools: ToolsDialog,
  preferences: PreferencesDialog,
  shortcuts: ShortcutsDialog,
} as const

/** The open dialog, if any. */
export function Dialogs() {
  const { dialogs } = useServices()
  const open = useStore(dialogs)
  if (!open) return null
  const { name, chatId } = open
  const Dialog = dialogComponents[name]
  return (
    <CurrentChatContext value={chatId}>
      <Suspense>
        <Dialog key={name} onClose={dialogs.close} />
      </Suspense>
    </CurrentChatContext>
  )
}
