import { lazy, Suspense, useEffect } from 'react'
import { useCurrentModel } from '../app/current-chat.ts'
import type { FoundPlace } from '../app/router.ts'
import { useServices } from '../app/services.ts'
import { emptyTree, newestLeaf, pathTo } from '../chat/message-tree.ts'
import { NEW_CHAT } from '../chat/types.ts'
import { useStore } from '../store.ts'
import { AnswerAnnouncer } from './answer-announcer.tsx'
import { Composer } from './composer/composer.tsx'
import { DropZone } from './composer/drop-zone.tsx'
import { useAttachments } from './composer/use-attachments.ts'
import { Notices } from './notices.tsx'
import { FindBar } from './find/find-bar.tsx'
import { SwarmNotice } from './swarm-notice.tsx'
import { Thread } from './thread.tsx'
import { Welcome } from './welcome.tsx'
import './chat-page.css'

/** Most readers never see it. */
const SignInBar = lazy(() => import('./sign-in/sign-in-bar.tsx'))

interface ChatPageProps {
  readonly chatId: string | undefined
  /** The match of a search in this chat. */
  readonly found: FoundPlace | undefined
}

/** One chat, or a new one. */
export function ChatPage({ chatId, found }: ChatPageProps) {
  const { chats, conversation, drafts, preferences, router, session } = useServices()
  const signedOut = useStore(session, ({ status }) => status === 'signed-out')
  const { model, missing } = useCurrentModel()
  const chat = useStore(chats, (state) => (chatId ? state.chats.get(chatId) : undefined))
  const read = useStore(chats, (state) => (chatId ? state.trees.get(chatId) : undefined))
  const tree = read ?? emptyTree
  const loaded = useStore(chats, (state) => state.status === 'ready')
  const draftId = chatId ?? NEW_CHAT
  const attachments = useAttachments(draftId)
  useEffect(() => {
    if (chatId) void chats.open(chatId)
  }, [chats, chatId])
  useEffect(() => {
    // The link leads to a deleted chat, or to one of another browser.
    if (chatId && loaded && !chat) router.go({ page: 'new' }, { replace: true })
  }, [chatId, loaded, chat, router])
  useBranchOf(chatId, found)
  const path = pathTo(tree, chat?.leafId ?? null)
  const last = path.at(-1)
  return (
    <DropZone onFiles={attachments.addFiles}>
      {chatId && found && path.length > 0 && (
        <FindBar
          found={found}
          path={path}
          onClose={() => router.go({ page: 'chat', chatId }, { replace: true })}
        />
      )}
      {chatId ? (
        <Thread key={chatId} tree={tree} path={path} title={chat?.title} />
      ) : (
        <Welcome model={model} />
      )}
      <AnswerAnnouncer messageId={last?.id} status={last?.role === 'assistant' ? last.status : undefined} />
      <Notices />
      <SwarmNotice model={model} />
      {signedOut ? (
        <Suspense>
          <SignInBar />
        </Suspense>
      ) : (
        <Composer
          draftId={draftId}
          model={model}
          missing={missing}
          running={last?.status === 'streaming'}
          loading={chatId !== undefined && (!chat || !read)}
          path={path}
          attachments={attachments}
          takesFocus={!found}
          onStop={() => last && conversation.stop(last)}
          onSend={(input) => {
            if (!model) return
            const { settings, tools = preferences.get().tools } = drafts.draft(draftId)
            const id = chatId ?? conversation.createChat(model.id, settings, { tools }).id
            drafts.clear(draftId)
            conversation.send(id, input)
            if (!chatId) router.go({ page: 'chat', chatId: id })
          }}
        />
      )}
    </DropZone>
  )
}

/** Shows the branch that contains a match, once its chat is loaded. */
function useBranchOf(chatId: string | undefined, found: FoundPlace | undefined): void {
  const { chats } = useServices()
  const isThere = useStore(chats, (state) => {
    const tree = chatId && found ? state.trees.get(chatId) : undefined
    return tree?.messages.has(found!.messageId) ?? false
  })
  useEffect(() => {
    if (!chatId || !found || !isThere) return
    const tree = chats.tree(chatId)
    const path = pathTo(tree, chats.chat(chatId)?.leafId ?? null)
    if (path.some(({ id }) => id === found.messageId)) return
    chats.updateChat(chatId, { leafId: newestLeaf(tree, found.messageId) })
  }, [chats, chatId, found, isThere])
}
