import { lazy, Suspense, useEffect } from 'react'
import { AppShell } from '../components/app-shell.tsx'
import { ChatPage } from '../components/chat-page.tsx'
import { LinkConfirmation } from '../components/link-confirmation.tsx'
import { Notices } from '../components/notices.tsx'
import { en } from '../i18n/en.ts'
import { TextsContext } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { useServices } from './services.ts'

const SwarmPage = lazy(() => import('../components/swarm/swarm-page.tsx'))

/** The whole page: theme and language around, one of its places inside. */
export function App() {
  const { preferences, router } = useServices()
  const theme = useStore(preferences, (state) => state.theme)
  const route = useStore(router)
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme
  }, [theme])
  const chatId = route.page === 'chat' ? route.chatId : undefined
  return (
    <TextsContext value={en}>
      <LinkConfirmation>
        <AppShell>
          {route.page === 'swarm' ? (
            <Suspense>
              <SwarmPage />
            </Suspense>
          ) : (
            <ChatPage key={chatId ?? 'new'} chatId={chatId} />
          )}
        </AppShell>
        <Notices />
      </LinkConfirmation>
    </TextsContext>
  )
}
