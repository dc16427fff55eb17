import { lazy, Suspense } from 'react'
import { Dialogs } from '../components/dialogs.tsx'
import { AppShell } from '../components/app-shell.tsx'
import { ChatPage } from '../components/chat-page.tsx'
import { LinkConfirmation } from '../components/link-confirmation.tsx'
import { NoticesAnnouncer } from '../components/notices.tsx'
import { TextsContext } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { DocumentTitle } from './document-title.ts'
import type { Route } from './router.ts'
import { useServices } from './services.ts'

const ComparePage = lazy(() => import('../components/compare/compare-page.tsx'))
const SwarmPage = lazy(() => import('../components/swarm/swarm-page.tsx'))

/** The whole page: its language around, one of its places inside, dialogs over it. */
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
