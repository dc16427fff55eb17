import { lazy, Suspense } from 'react'
import { Dialogs } from '../components/dialogs.tsx'
import { AppShell } from '../components/app-shell.tsx'
import { ChatPage } from '../components/chat-page.tsx'
import { LinkConfirmation } from '../components/link-confirmation.tsx'
import { Notices } from '../components/notices.tsx'
import { TextsContext } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { useServices } from './services.ts'

const SwarmPage = lazy(() => import('../components/swarm/swarm-page.tsx'))

/** The whole page: its language around, one of its places inside, dialogs over it. */
export function App() {
  const { language, router } = useServices()
  const texts = useStore(language, (state) => state.texts)
  const route = useStore(router)
  const chatId = route.page === 'chat' ? route.chatId : undefined
  return (
    <TextsContext value={texts}>
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
        <Dialogs />
        <Notices />
      </LinkConfirmation>
    </TextsContext>
  )
}
